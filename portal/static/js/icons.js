// Line icons on a 24 x 24 grid, drawn by element, so that no markup is parsed and colours follow the text.

import { svg } from "./dom.js";

const PATHS = {
  add: "M12 5v14M5 12h14",
  alert: "M12 9v4m0 3.500v.01M10.4 4 2.7 17.500A1.8 1.8 0 0 0 4.3 20h15.400a1.8 1.8 0 0 0 1.6-2.500L13.6 4a1.8 1.8 0 0 0-3.2 0Z",
  anchor: "M12 8v13M12 8a2.5 2.5 0 1 0 0-5 2.5 2.5 0 0 0 0 5Zm-8 5c0 4.5 3.5 8 8 8s8-3.5 8-8M8 12h8",
  back: "M15 5l-7 7 7 7",
  cart: "M3 4h2.500l2 11h10.500l2-8H6.300M9 20v.01M17 20v.01",
  check: "m5 12.5 4.5 4.500L19 7.5",
  clock: "M12 7v5l3.5 2M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18Z",
  close: "M6 6l12 12M18 6 6 18",
  cloud: "M7 18.500a4.5 4.5 0 0 1-.6-9A6 6 0 0 1 18 10a4.3 4.3 0 0 1-.5 8.500Z",
  copy: "M9 9h11v11H9zM5 15H4V4h11v1",
  cross: "M7 7l10 10M17 7 7 17",
  down: "M12 5v14m-6-6 6 6 6-6",
  dot: "M12 13a1 1 0 1 0 0-2 1 1 0 0 0 0 2Z",
  eye: "M2.5 12S6 5.5 12 5.5 21.5 12 21.5 12 18 18.5 12 18.5 2.5 12 2.5 12Zm9.5 3a3 3 0 1 0 0-6 3 3 0 0 0 0 6Z",
  flag: "M5 21V4h13l-3 4.500L18 13H5",
  gear: "M12 15a3 3 0 1 0 0-6 3 3 0 0 0 0 6Zm0-12v3m0 12v3m9-9h-3M6 12H3m15.400-6.400-2.100 2.100M7.700 16.300l-2.100 2.100m12.800 0-2.100-2.100M7.700 7.700 5.600 5.600",
  globe: "M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18ZM3.500 9.500h17m-17 5h17M12 3c-5 5.500-5 12.500 0 18 5-5.500 5-12.500 0-18Z",
  hand: "M12 3v10M8 6v8m8-9v9m4-6v7c0 4-3 6-7 6-3.5 0-5.5-1.5-7-4.500L3.5 12c1.5-1 3-.5 4.5 2",
  home: "M3.500 11 12 4l8.500 7M6 9.500V20h12V9.500M10 20v-5h4v5",
  info: "M12 11v5m0-8.500v.01M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18Z",
  key: "M7.5 16a4 4 0 1 0 0-8 4 4 0 0 0 0 8Zm4-4H21m-2.5 0v3.5M15 12v2.5",
  ledger: "M6 3h12v18H6zM9.5 8h5m-5 4h5m-5 4h3",
  moon: "M20 14.500A8.5 8.5 0 0 1 9.5 4a8.5 8.5 0 1 0 10.5 10.500Z",
  open: "M14 4h6v6M20 4l-9 9M18 14v5H5V6h5",
  out: "M10 4H5v16h5M15 8l4 4-4 4M19 12H9",
  retry: "M20 5v5h-5M4 12a8 8 0 0 1 14-5l2 3M4 19v-5h5m11-2a8 8 0 0 1-14 5l-2-3",
  server: "M4 5h16v6H4zM4 13h16v6H4zM7.5 8v.01M7.5 16v.01",
  ship: "M4 14h16l-2 5H6zM7 14V9h10v5M12 9V4",
  spin: "M12 3a9 9 0 1 1-8.5 6",
  stop: "M7 7h10v10H7z",
  sun: "M12 16.500a4.5 4.5 0 1 0 0-9 4.5 4.5 0 0 0 0 9ZM12 2.500v2m0 15v2m9.5-9.500h-2m-15 0h-2m16.2-6.7-1.4 1.400M6.7 17.300l-1.4 1.400m13.4 0-1.4-1.400M6.7 6.7 5.3 5.3",
  system: "M3.5 5h17v11h-17zM9 20h6m-3-4v4",
  tag: "M4 4h8l8 8-8 8-8-8zM8.5 8.500v.01",
  trash: "M4 7h16M9 7V4h6v3m-9 0 1 13h10l1-13M10 11v5m4-5v5",
  up: "M12 19V5m-6 6 6-6 6 6",
  power: "M12 3v9m-5.5-6a8 8 0 1 0 11 0",
  undo: "M9 7 4 12l5 5M4 12h10a6 6 0 0 1 6 6",
  user: "M12 12a4 4 0 1 0 0-8 4 4 0 0 0 0 8Zm-7.5 8.500c.5-4 3.5-6 7.5-6s7 2 7.5 6",
};

export function icon(name) {
  return svg("svg", { viewBox: "0 0 24 24", fill: "none", stroke: "currentColor", "stroke-width": "2", "stroke-linecap": "round", "stroke-linejoin": "round", "aria-hidden": "true", focusable: "false" },
    svg("path", { d: PATHS[name] ?? PATHS.dot }));
}
