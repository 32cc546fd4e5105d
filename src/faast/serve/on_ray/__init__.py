"""`faast serve` on Ray: replicas answer, one actor a task writes. Needs the extra `ray`."""

from faast.serve.on_ray.deployment import deployed as deployed

__all__ = ["deployed"]
