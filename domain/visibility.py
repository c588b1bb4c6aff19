"""What Temporal's visibility store knows of a run: the search attributes operators filter by, from the start on."""

from __future__ import annotations

from temporalio.common import SearchAttributeKey, SearchAttributePair, TypedSearchAttributes

STATUS = SearchAttributeKey.for_keyword("SlipwayStatus")
STUCK_STEP = SearchAttributeKey.for_keyword("SlipwayStuckStep")
ATTENTION = SearchAttributeKey.for_keyword("SlipwayAttention")
PROVIDER = SearchAttributeKey.for_keyword("SlipwayProvider")
SLUG = SearchAttributeKey.for_keyword("SlipwaySlug")
SEARCH_ATTRIBUTES = (STATUS, STUCK_STEP, ATTENTION, PROVIDER, SLUG)

NOTHING_STUCK = "none"
HOSTING = "hosting"  # what stands for a provider where a run is about shared servers of the house

# Set by Temporal itself while a run's workflow task keeps failing, that is, while our code cannot go on with it.
FAILING = "ExecutionStatus = 'Running' AND TemporalReportedProblems IS NOT NULL"


def at_start(status: str, attention: str, slug: str, provider: str) -> TypedSearchAttributes:
    """Given with the start, they cost no command and no second visit to the store."""
    values = {STATUS: status, STUCK_STEP: NOTHING_STUCK, ATTENTION: attention, PROVIDER: provider, SLUG: slug}
    return TypedSearchAttributes([SearchAttributePair(key, str(value)) for key, value in values.items()])
