"""What ingest is told besides what all services are: where the sources are, and the secrets they want."""

from pathlib import Path

from pydantic import Field, SecretStr

from headworks.common.settings import ServiceSettings


class IngestSettings(ServiceSettings):
    """Addresses and credentials of the outside systems; a source without an address is not polled."""

    pi_url: str | None = None
    pi_username: str = ""
    pi_password: SecretStr = SecretStr("")
    hydroforecast_url: str | None = None
    hydroforecast_key: SecretStr = SecretStr("")
    caiso_url: str | None = None
    caiso_certificate_file: Path | None = None
    caiso_key_file: Path | None = None
    caiso_soap_action: str = "http://www.caiso.com/soa/RetrieveMarketAwards_CMRIv4_AP"
    caiso_request_body: str = Field(
        default=(
            '<RetrieveMarketAwardsRequest xmlns="http://www.caiso.com/soa/RetrieveMarketAwards_v4.xsd">'
            "<tradeDate>{trade_date}</tradeDate><marketType>DAM</marketType><executionType>IFM</executionType>"
            "</RetrieveMarketAwardsRequest>"
        ),
        description="the request schema is not public: {trade_date} is filled in",
    )
    source_timeout_s: float = Field(default=10.0, gt=0)
