// Runs before the first paint, so that a chosen theme does not flash. The rest is in components/theme.js.
(() => {
  try {
    const theme = localStorage.getItem("slipway.theme");
    if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
  } catch { /* storage may be forbidden: the system's theme is shown */ }
})();
