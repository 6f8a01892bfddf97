"""What ingest is told besides what all services are: where the sources are, and the secrets they want."""

from pathlib import Path

from lxml import etree
from pydantic import Field, SecretStr, field_validator

from headworks.common.settings import ServiceSettings


class IngestSettings(ServiceSettings):
    """Addresses and credentials of the outside systems; a source without an address is not polled."""

    pi_url: str | None = None
    pi_username: str = ""
    pi_password: SecretStr = SecretStr("")
    pi_token: SecretStr = Field(default=SecretStr(""), description="a bearer token, in place of user and password")
    hydroforecast_url: str | None = None
    hydroforecast_key: SecretStr = SecretStr("")
    caiso_url: str | None = None
    caiso_certificate_file: Path | None = None
    caiso_key_file: Path | None = None
    caiso_ca_file: Path | None = Field(default=None, description="whom to trust as CAISO; the system's store without")
    caiso_path: str = "/sst/runtime.asvc/RetrieveMarketAwards_CMRIv4_AP"
    caiso_soap_action: str = "http://www.caiso.com/soa/RetrieveMarketAwards_CMRIv4_AP"
    caiso_request_body: str = Field(
        default=(
            '<RetrieveMarketAwardsRequest xmlns="http://www.caiso.com/soa/RetrieveMarketAwards_v4.xsd">'
            "<tradeDate>{trade_date}</tradeDate><marketType>DAM</marketType><executionType>IFM</executionType>"
            "</RetrieveMarketAwardsRequest>"
        ),
        description="the request schema is not public: {trade_date} is filled in",
    )
    entsoe_url: str | None = Field(
        default=None, description="the platform's address, such as https://web-api.tp.entsoe.eu"
    )
    entsoe_token: SecretStr = SecretStr("")
    source_timeout_s: float = Field(default=10.0, gt=0)

    @field_validator("caiso_request_body")
    @classmethod
    def _request(cls, body: str) -> str:
        if "{trade_date}" not in body:
            raise ValueError("must hold {trade_date}, where the trade date goes")
        try:
            etree.fromstring(body.replace("{trade_date}", "2026-02-17"))
        except etree.XMLSyntaxError as error:
            raise ValueError(f"must be one XML element: {error}") from error
        return body
