"""Which sources of a site are polled: those that its site file names and this deployment has an address for."""

import ssl
from collections.abc import Generator
from contextlib import AsyncExitStack
from dataclasses import dataclass

import httpx

from headworks.common.bus import Bus
from headworks.ingest.collect import (
    AwardCollector,
    Collector,
    ForecastCollector,
    PiCollector,
    PriceCollector,
)
from headworks.ingest.sections import (
    CaisoSection,
    EntsoeSection,
    HydroForecastSection,
    PiSection,
    SourcesSection,
)
from headworks.ingest.settings import IngestSettings
from headworks.ingest.sources.caiso import Client, client_context
from headworks.ingest.sources.entsoe import Entsoe
from headworks.ingest.sources.hydroforecast import HydroForecast
from headworks.ingest.sources.pi import PiWebApi

Poller = PiCollector | ForecastCollector | AwardCollector | PriceCollector


class _Bearer(httpx.Auth):
    """A bearer token on every request."""

    def __init__(self, token: str) -> None:
        self._token = token

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        request.headers["Authorization"] = f"Bearer {self._token}"
        yield request


def pi_auth(settings: IngestSettings) -> httpx.Auth | None:
    """A bearer token where there is one, else Basic where there is a user, else nothing: anonymous inside a VPN."""
    if token := settings.pi_token.get_secret_value():
        return _Bearer(token)
    if settings.pi_username:
        return httpx.BasicAuth(settings.pi_username, settings.pi_password.get_secret_value())
    return None


@dataclass(frozen=True, slots=True)
class Polling:
    """A poller and its pace [s of plant time]."""

    poller: Poller
    every_s: float


@dataclass(frozen=True, slots=True)
class Wiring:
    """What sources are reached with; the stack closes what was opened."""

    settings: IngestSettings
    bus: Bus
    stack: AsyncExitStack

    def pollers(self, collector: Collector, section: SourcesSection) -> dict[str, Polling]:
        """The pollers of a site by source."""
        found: dict[str, Poller | None] = {
            "pi": self._pi(collector, section.pi),
            "hydroforecast": self._hydroforecast(collector, section.hydroforecast),
            "caiso": self._caiso(collector, section.caiso),
            "entsoe": self._entsoe(collector, section.entsoe),
        }
        paces = {name: one.poll_every for name, one in section if one is not None}
        return {name: Polling(poller, paces[name]) for name, poller in found.items() if poller is not None}

    def _pi(self, collector: Collector, section: PiSection | None) -> PiCollector | None:
        if section is None or self.settings.pi_url is None:
            return None
        client = self._client(self.settings.pi_url, auth=pi_auth(self.settings))
        return PiCollector(collector, self.bus, PiWebApi(client, section), section)

    def _hydroforecast(self, collector: Collector, section: HydroForecastSection | None) -> ForecastCollector | None:
        if section is None or self.settings.hydroforecast_url is None:
            return None
        client = self._client(self.settings.hydroforecast_url)
        key = self.settings.hydroforecast_key.get_secret_value()
        return ForecastCollector(collector, HydroForecast(client, key, section), section)

    def _caiso(self, collector: Collector, section: CaisoSection | None) -> AwardCollector | None:
        settings = self.settings
        certificate, key = settings.caiso_certificate_file, settings.caiso_key_file
        if section is None or settings.caiso_url is None or certificate is None or key is None:
            return None
        context = client_context(certificate, key, settings.caiso_ca_file)
        client = Client.from_files(
            self._client(settings.caiso_url, verify=context),
            certificate,
            key,
            settings.caiso_path,
            settings.caiso_soap_action,
            settings.caiso_request_body,
        )
        return AwardCollector(collector, client, section)

    def _entsoe(self, collector: Collector, section: EntsoeSection | None) -> PriceCollector | None:
        if section is None or self.settings.entsoe_url is None:
            return None
        client = self._client(self.settings.entsoe_url)
        source = Entsoe(client, self.settings.entsoe_token.get_secret_value(), section.zone)
        return PriceCollector(collector, self.bus, source, section)

    def _client(
        self, url: str, *, auth: httpx.Auth | None = None, verify: ssl.SSLContext | bool = True
    ) -> httpx.AsyncClient:
        client = httpx.AsyncClient(base_url=url, timeout=self.settings.source_timeout_s, auth=auth, verify=verify)
        self.stack.push_async_callback(client.aclose)
        return client
