"""Job types as data. Deploy writes them as rows; `app.open_stage` creates tasks from them, set-based."""

from codegen.workflows.base import Count, Each, JobType, MatchPrevious, Single, Stage
from codegen.workflows.catalogue import INSPECT_JOBS, JOB_TYPES, REQUEST_JOBS, UNPUBLISH_JOBS

__all__ = ["INSPECT_JOBS", "JOB_TYPES", "REQUEST_JOBS", "UNPUBLISH_JOBS", "Count", "Each", "JobType", "MatchPrevious", "Single", "Stage"]
