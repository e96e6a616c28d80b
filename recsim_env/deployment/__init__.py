"""Which policy serves? Bandits over deployed policies, with continuous evaluation and rollback.

Knows no simulator and no agent: a platform is any callable that serves a batch. See docs/deployment.md.
"""

from recsim_env.deployment.assignment import assign, control_slice, user_uniforms
from recsim_env.deployment.compose import PAPER, STRATEGIES, PerSegment, Restarting, make_strategy
from recsim_env.deployment.controller import RAMPING, RETIRED, SERVING, Controller, Decision
from recsim_env.deployment.decision_log import DecisionLog, json_line, text_line
from recsim_env.deployment.deployment import Batch, Deployment, Feedback, Platform, Served
from recsim_env.deployment.detectors import LikelihoodRatio, PageHinkley, PageHinkleyOfArms
from recsim_env.deployment.evidence import Contrast, Estimate
from recsim_env.deployment.memory import Discounted, Memory, Sliding
from recsim_env.deployment.moments import COUNT, SQUARE, TOTAL, moments_of
from recsim_env.deployment.settings import RAMP, Settings, Step
from recsim_env.deployment.strategies import (
    UCB,
    ABTest,
    EpsilonGreedy,
    Newest,
    Strategy,
    Thompson,
    Validation,
)

__all__ = [
    "COUNT",
    "PAPER",
    "RAMP",
    "RAMPING",
    "RETIRED",
    "SERVING",
    "SQUARE",
    "STRATEGIES",
    "TOTAL",
    "UCB",
    "ABTest",
    "Batch",
    "Contrast",
    "Controller",
    "Decision",
    "DecisionLog",
    "Deployment",
    "Discounted",
    "EpsilonGreedy",
    "Estimate",
    "Feedback",
    "LikelihoodRatio",
    "Memory",
    "Newest",
    "PageHinkley",
    "PageHinkleyOfArms",
    "PerSegment",
    "Platform",
    "Restarting",
    "Served",
    "Settings",
    "Sliding",
    "Step",
    "Strategy",
    "Thompson",
    "Validation",
    "assign",
    "control_slice",
    "json_line",
    "make_strategy",
    "moments_of",
    "text_line",
    "user_uniforms",
]
