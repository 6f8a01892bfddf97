"""What the optimizer is told besides what all services are."""

from typing import Literal

from headworks.common.settings import ServiceSettings


class OptimizerSettings(ServiceSettings):
    """Which part this process plays: workers are scaled out, the API and the scheduler are one or two."""

    role: Literal["all", "api", "worker"] = "all"
