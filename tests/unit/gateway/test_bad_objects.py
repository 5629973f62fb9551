"""A bad object gets a condition, and takes nothing from the others."""

from __future__ import annotations

import copy
import functools
from collections.abc import Iterator
from typing import Any

from gatewayworld import composed, manifests, secret, service, world
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from fairway.gateway.compose import compose
from fairway.gateway.snapshot import Composed, Ref

GOOD = """
kind: Gateway
metadata: {name: good}
spec:
  gatewayClassName: fairway
  listeners:
  - {name: http, port: 80, protocol: HTTP}
  - name: https
    port: 443
    protocol: HTTPS
    tls: {certificateRefs: [{name: cert}]}
---
kind: HTTPRoute
metadata: {name: good}
spec:
  parentRefs: [{name: good}]
  hostnames: [good.com]
  rules: [{backendRefs: [{name: good, port: 80}]}]
---
kind: Ingress
metadata: {name: good}
spec:
  ingressClassName: fairway
  rules:
  - host: also.good.com
    http:
      paths: [{path: /, pathType: Prefix, backend: {service: {name: good, port: {number: 80}}}}]
---
kind: IngressClass
metadata: {name: fairway}
spec: {controller: fairway.dev/ingress-controller}
"""
BAD = """
kind: HTTPRoute
metadata: {name: bad, annotations: {a: b}, labels: {c: d}}
spec:
  parentRefs: [{name: good, sectionName: http, port: 80}]
  hostnames: [bad.com]
  rules:
  - name: one
    matches:
    - path: {type: RegularExpression, value: "/x[0-9]"}
      headers: [{name: h, type: RegularExpression, value: v}]
      queryParams: [{name: q, value: v}]
      method: GET
    filters:
    - {type: RequestHeaderModifier, requestHeaderModifier: {set: [{name: a, value: b}]}}
    - {type: RequestMirror, requestMirror: {backendRef: {name: good, port: 80}, percent: 5}}
    - type: CORS
      cors: {allowOrigins: ["https://*.x.com"], allowMethods: [GET], maxAge: 5}
    backendRefs: [{name: good, port: 80, weight: 5}, {name: gone, port: 80}]
    timeouts: {request: 10s, backendRequest: 5s}
    retry: {attempts: 2, codes: [500], backoff: 10ms}
    sessionPersistence:
      {sessionName: s, absoluteTimeout: 1h, cookieConfig: {lifetimeType: Permanent}}
  - matches: [{path: {type: PathPrefix, value: /p}}]
    filters:
    - type: URLRewrite
      urlRewrite: {hostname: x.com, path: {type: ReplacePrefixMatch, replacePrefixMatch: /y}}
    backendRefs: [{name: good, port: 80}]
  - filters:
    - type: RequestRedirect
      requestRedirect: {scheme: https, hostname: x.com, port: 443, statusCode: 301}
---
kind: GRPCRoute
metadata: {name: bad}
spec:
  parentRefs: [{name: good}]
  hostnames: [grpc.bad.com]
  rules:
  - matches: [{method: {type: Exact, service: a.B, method: C}, headers: [{name: x, value: "y"}]}]
    backendRefs: [{name: good, port: 80}]
---
kind: Gateway
metadata: {name: bad}
spec:
  gatewayClassName: fairway
  addresses: [{type: IPAddress, value: 10.111.0.9}]
  infrastructure: {labels: {a: b}}
  tls: {frontend: {default: {validation: {caCertificateRefs: [{name: ca, kind: ConfigMap}]}}}}
  listeners:
  - name: https
    port: 443
    hostname: bad.com
    protocol: HTTPS
    tls: {mode: Terminate, certificateRefs: [{name: cert, kind: Secret, group: ""}]}
    allowedRoutes:
      namespaces:
        from: Selector
        selector: {matchExpressions: [{key: a, operator: In, values: [b]}]}
      kinds: [{kind: HTTPRoute}]
---
kind: BackendTLSPolicy
metadata: {name: bad}
spec:
  targetRefs: [{group: "", kind: Service, name: bad, sectionName: web}]
  validation:
    hostname: bad.com
    caCertificateRefs: [{group: "", kind: ConfigMap, name: ca}]
    subjectAltNames: [{type: Hostname, hostname: x.com}]
---
kind: ReferenceGrant
metadata: {name: bad}
spec:
  from: [{group: gateway.networking.k8s.io, kind: HTTPRoute, namespace: x}]
  to: [{group: "", kind: Service, name: y}]
---
kind: Service
metadata: {name: bad}
spec:
  type: LoadBalancer
  loadBalancerIP: 10.111.0.7
  loadBalancerSourceRanges: [10.0.0.0/8]
  selector: {pod-template-hash: abc}
  ports: [{name: web, port: 80, protocol: TCP, appProtocol: kubernetes.io/h2c}]
---
kind: EndpointSlice
metadata: {name: bad, labels: {kubernetes.io/service-name: bad}}
addressType: IPv4
endpoints: [{addresses: [10.0.0.1], conditions: {ready: true, serving: true, terminating: false}}]
ports: [{name: web, port: 80, protocol: TCP}]
---
kind: Secret
type: kubernetes.io/tls
metadata: {name: bad}
data: {tls.crt: YQ==, tls.key: YQ==}
---
kind: Ingress
metadata:
  name: bad
  annotations:
    nginx.ingress.kubernetes.io/canary: "true"
    nginx.ingress.kubernetes.io/canary-weight: "5"
    nginx.ingress.kubernetes.io/affinity: cookie
    nginx.ingress.kubernetes.io/rewrite-target: /$1
    nginx.ingress.kubernetes.io/enable-cors: "true"
spec:
  ingressClassName: fairway
  defaultBackend: {service: {name: good, port: {name: web}}}
  tls: [{hosts: [bad.com], secretName: cert}]
  rules:
  - host: bad.com
    http:
      paths: [{path: /, pathType: Exact, backend: {service: {name: good, port: {number: 80}}}}]
"""
GOODS = [*manifests(GOOD), *service("good"), secret("cert", "good.com")]
BADS = manifests(BAD)
TEXTS = ["", "*", "%", "(?=x)", "[", "a\nb", "*.*.x", "-1", "/a//b", "x" * 300]
JUNK = st.sampled_from([*TEXTS, -1, 0, 2**40, True, None, [], {}, 1.5])


def leaves(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where something can be replaced: every place but the names that make it another object."""
    if path:
        yield path
    items: Any = value.items() if isinstance(value, dict) else ()
    items = enumerate(value) if isinstance(value, list) else items
    for key, each in items:
        if (*path, key)[:2] not in {("metadata", "name"), ("metadata", "namespace"), ("kind",)}:
            yield from leaves(each, (*path, key))


def spoiled(obj: dict[str, Any], path: tuple[Any, ...], junk: object) -> dict[str, Any]:
    found = copy.deepcopy(obj)
    here: Any = found
    for key in path[:-1]:
        here = here[key]
    here[path[-1]] = junk
    return found


@st.composite
def bad_objects(draw: st.DrawFn) -> list[dict[str, Any]]:
    found = []
    for obj in BADS:
        worse = obj
        for _ in range(draw(st.integers(0, 2))):
            places = [each for each in leaves(worse) if each != ("metadata",)]
            worse = spoiled(worse, draw(st.sampled_from(places)), draw(JUNK))
        found.append(worse)
    return found


def seen(found: Composed) -> dict[str, Any]:
    """All that concerns the good objects."""
    hosts: dict[str, Any] = {}
    for name, table in found.snapshot.routes.items():
        if name.startswith("gw_shop_good"):
            for host in table["virtual_hosts"]:
                routes = [each for each in host["routes"] if "/good/" in each["name"]]
                if "good.com" in host["name"]:
                    hosts[f"{name} {host['name']}"] = routes
    statuses = {str(ref): held for ref, held in found.statuses.items() if ref.name == "good"}
    clusters = {name: found.snapshot.clusters[name] for name in ["http_shop_good_80_-"]}
    return {"hosts": hosts, "statuses": statuses, "clusters": clusters}


def without_bad(state: dict[str, Any]) -> dict[str, Any]:
    """Routes that were attached are counted in the Gateway's status."""
    found = copy.deepcopy(state)
    for listener in found["statuses"]["Gateway shop/good"]["listeners"]:
        listener["attachedRoutes"] = 0
    return found


@functools.cache
def good_alone() -> dict[str, Any]:
    return without_bad(seen(composed(GOODS, own="shop/good")))


@settings(max_examples=100, deadline=None)
@given(bad_objects())
def test_spoiled_objects_change_nothing_for_good_ones(bad: list[dict[str, Any]]) -> None:
    alone = good_alone()
    beside = without_bad(seen(composed([*GOODS, *bad], own="shop/good")))
    assert beside == alone
    assert alone["hosts"]


def test_no_listener_goes_away_for_a_spoiled_object() -> None:
    alone = set(composed(GOODS, own="shop/good").snapshot.listeners)
    assert alone == {"gw_shop_good_80", "gw_shop_good_443", "gw_shop_good_8080"}
    assert alone < set(composed([*GOODS, *BADS], own="shop/good").snapshot.listeners)


def test_what_envoy_refused_is_left_out_and_says_so() -> None:
    ref = Ref("HTTPRoute", "shop", "good")
    found = compose(replace(world(GOODS, own="shop/good"), refused={ref: "no such thing"}))
    table = found.snapshot.routes["gw_shop_good_80"]
    assert not [
        e for host in table["virtual_hosts"] for e in host["routes"] if "HTTPRoute" in e["name"]
    ]
    accepted = found.statuses[ref]["parents"][0]["conditions"][0]
    assert (accepted["status"], accepted["reason"]) == ("False", "UnsupportedValue")
    assert "no such thing" in accepted["message"]
