"""Teachers to test with: a loopback OpenAI-compatible server and a Batch API, over a function that answers."""

from __future__ import annotations

from shopbot_refine.testing.batch_api import BatchAPI, BatchPlan
from shopbot_refine.testing.teacher_server import Exchange, Mishap, RefusedError, Reply, TeacherServer

__all__ = ["BatchAPI", "BatchPlan", "Exchange", "Mishap", "RefusedError", "Reply", "TeacherServer"]
