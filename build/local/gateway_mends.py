"""What moto's API Gateway and Kinesis answer wrongly, mended: see `build.local.mends`."""

import json
from collections.abc import Iterator
from typing import Any

from build.local.patching import Undo, add, replace


def finish_domain_names() -> Iterator[Undo]:
    """Moto never says that a domain name is available, nor what its DNS record must lead to, and cannot change one."""
    from moto.apigatewayv2.models import DomainName
    from moto.apigatewayv2.responses import ApiGatewayV2Response

    def to_json(original: Any) -> Any:
        def told(self: Any) -> dict[str, Any]:
            answer: dict[str, Any] = original(self)
            region = self.domain_name_arn.split(":")[3]
            made = {
                "apiGatewayDomainName": f"d-{abs(hash(self.domain_name)):x}.execute-api.{region}.amazonaws.com",
                "domainNameStatus": "AVAILABLE",
                "hostedZoneId": "Z1UJRXOUMOFQ8",
            }
            answer["domainNameConfigurations"] = [{**made, **each} for each in self.domain_name_configurations]
            return {name: value for name, value in answer.items() if value or name != "mutualTlsAuthentication"}

        return told

    def update_domain_name(self: Any) -> Any:
        domain = self.apigatewayv2_backend.get_domain_name(domain_name=self.path.split("/")[-1])
        domain.domain_name_configurations = json.loads(self.body).get(
            "domainNameConfigurations", domain.domain_name_configurations
        )
        return 200, {}, json.dumps(domain.to_json())

    yield replace(DomainName, "to_json", to_json)
    yield add(ApiGatewayV2Response, update_domain_name)


def tag_new_streams() -> Iterator[Undo]:
    """Moto drops the tags that CreateStream gives."""
    from moto.kinesis.responses import KinesisResponse

    def create(original: Any) -> Any:
        def create_stream(self: Any) -> Any:
            answer = original(self)
            self.kinesis_backend.streams[self._get_param("StreamName")].tags.update(self._get_param("Tags") or {})
            return answer

        return create_stream

    yield replace(KinesisResponse, "create_stream", create)
