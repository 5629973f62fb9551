"""Objects that use every feature of the gateway once."""

from __future__ import annotations

GATEWAYS = """
kind: Gateway
metadata: {name: main}
spec:
  gatewayClassName: fairway
  listeners: [{name: http, port: 8080, protocol: HTTP}]
---
kind: Gateway
metadata: {name: isolated}
spec:
  gatewayClassName: fairway
  listeners:
  - {name: any, port: 8080, protocol: HTTP}
  - {name: wild, port: 8080, protocol: HTTP, hostname: "*.example.com"}
  - {name: exact, port: 8080, protocol: HTTP, hostname: a.example.com}
"""
ROUTES = """
kind: HTTPRoute
metadata: {name: matches}
spec:
  parentRefs: [{name: main}]
  rules:
  - matches: [{path: {type: PathPrefix, value: /m}}]
    backendRefs: [{name: a, port: 80}]
  - matches: [{path: {type: PathPrefix, value: /m/two/}}]
    backendRefs: [{name: b, port: 80}]
  - matches:
    - path: {type: Exact, value: /m/two}
    - path: {value: /m}
      headers: [{name: Version, value: c}, {name: VERSION, value: ignored}]
    - path: {value: /m}
      headers: [{name: version, type: RegularExpression, value: "c[0-9]+"}]
    - path: {value: /m}
      queryParams: [{name: version, value: c}]
    - path: {value: /m}
      method: PATCH
    - path: {type: RegularExpression, value: "/m/[0-9]+"}
    backendRefs: [{name: c, port: 80}]
---
kind: HTTPRoute
metadata: {name: filters}
spec:
  parentRefs: [{name: main}]
  rules:
  - matches: [{path: {value: /headers}}]
    filters:
    - type: RequestHeaderModifier
      requestHeaderModifier:
        set: [{name: X-Set, value: "100%set"}]
        add: [{name: X-Add, value: more}]
        remove: [X-Remove]
    - type: ResponseHeaderModifier
      responseHeaderModifier:
        set: [{name: X-From, value: gateway}]
        add: [{name: X-New, value: "1"}]
        remove: [X-Gone]
    backendRefs:
    - name: a
      port: 80
      filters:
      - type: RequestHeaderModifier
        requestHeaderModifier: {set: [{name: X-Backend, value: a}]}
  - matches: [{path: {value: /host}}]
    filters: [{type: URLRewrite, urlRewrite: {hostname: one.example.org}}]
    backendRefs: [{name: a, port: 80}]
  - matches: [{path: {value: /sethost}}]
    filters:
    - type: RequestHeaderModifier
      requestHeaderModifier: {set: [{name: Host, value: two.example.org}]}
    backendRefs: [{name: a, port: 80}]
  - matches: [{path: {value: /full}}]
    filters:
    - type: URLRewrite
      urlRewrite: {path: {type: ReplaceFullPath, replaceFullPath: /one}}
    backendRefs: [{name: a, port: 80}]
  - matches: [{path: {value: /prefix}}]
    filters:
    - type: URLRewrite
      urlRewrite: {path: {type: ReplacePrefixMatch, replacePrefixMatch: /xyz/}}
    backendRefs: [{name: a, port: 80}]
  - matches: [{path: {value: /strip}}]
    filters:
    - type: URLRewrite
      urlRewrite: {path: {type: ReplacePrefixMatch, replacePrefixMatch: /}}
    backendRefs: [{name: a, port: 80}]
---
kind: HTTPRoute
metadata: {name: redirects}
spec:
  parentRefs: [{name: main}]
  hostnames: [redirect.example.com]
  rules:
  - matches: [{path: {value: /plain}}]
    filters: [{type: RequestRedirect, requestRedirect: {hostname: x.org}}]
  - matches: [{path: {value: /scheme}}]
    filters: [{type: RequestRedirect, requestRedirect: {scheme: https, statusCode: 301}}]
  - matches: [{path: {value: /port}}]
    filters: [{type: RequestRedirect, requestRedirect: {port: 8083, statusCode: 307}}]
  - matches: [{path: {value: /p80}}]
    filters: [{type: RequestRedirect, requestRedirect: {port: 80, statusCode: 308}}]
  - matches: [{path: {value: /path}}]
    filters:
    - type: RequestRedirect
      requestRedirect:
        statusCode: 303
        path: {type: ReplacePrefixMatch, replacePrefixMatch: /new}
  - matches: [{path: {value: /whole}}]
    filters:
    - type: RequestRedirect
      requestRedirect: {path: {type: ReplaceFullPath, replaceFullPath: /new}}
---
kind: HTTPRoute
metadata: {name: weights}
spec:
  parentRefs: [{name: main}]
  rules:
  - matches: [{path: {value: /half}}]
    backendRefs:
    - {name: a, port: 80, weight: 1}
    - {name: missing, port: 80, weight: 1}
  - matches: [{path: {value: /zero}}]
    backendRefs: [{name: a, port: 80, weight: 0}]
  - matches: [{path: {value: /gone}}]
    backendRefs: [{name: missing, port: 80}]
  - matches: [{path: {value: /none}}]
  - matches: [{path: {value: /empty}}]
    backendRefs: [{name: empty, port: 80}]
  - matches: [{path: {value: /split}}]
    backendRefs:
    - {name: a, port: 80, weight: 80}
    - {name: b, port: 80, weight: 20}
    - {name: c, port: 80, weight: 0}
  - matches: [{path: {value: /sticky}}]
    sessionPersistence: {sessionName: stay}
    backendRefs:
    - {name: a, port: 80, weight: 50}
    - {name: b, port: 80, weight: 50}
  - matches: [{path: {value: /stay}}]
    sessionPersistence:
      {sessionName: pod, cookieConfig: {lifetimeType: Permanent}, absoluteTimeout: 1h}
    backendRefs: [{name: many, port: 80}]
  - matches: [{path: {value: /header}}]
    sessionPersistence: {sessionName: X-Pod, type: Header}
    backendRefs: [{name: many, port: 80}]
---
kind: HTTPRoute
metadata: {name: policies}
spec:
  parentRefs: [{name: main}]
  rules:
  - matches: [{path: {value: /timeout}}]
    timeouts: {request: 200ms}
    backendRefs: [{name: a, port: 80}]
  - matches: [{path: {value: /try}}]
    timeouts: {backendRequest: 200ms}
    backendRefs: [{name: a, port: 80}]
  - matches: [{path: {value: /never}}]
    timeouts: {request: 0s}
    backendRefs: [{name: a, port: 80}]
  - matches: [{path: {value: /retry}}]
    retry: {attempts: 2, codes: [500, 503], backoff: 10ms}
    backendRefs: [{name: a, port: 80}]
  - matches: [{path: {value: /again}}]
    timeouts: {backendRequest: 1500ms}
    retry: {attempts: 2, backoff: 1ms}
    backendRefs: [{name: a, port: 80}]
  - matches: [{path: {value: /mirror}}]
    filters:
    - {type: RequestMirror, requestMirror: {backendRef: {name: b, port: 80}}}
    - {type: RequestMirror, requestMirror: {backendRef: {name: c, port: 80}, percent: 0}}
    backendRefs: [{name: a, port: 80}]
  - matches: [{path: {value: /cors}}]
    filters:
    - type: CORS
      cors:
        allowOrigins: ["https://www.foo.com", "https://*.bar.com"]
        allowMethods: [GET, OPTIONS]
        allowHeaders: [x-1, x-2]
        exposeHeaders: [x-3]
        allowCredentials: true
        maxAge: 3600
    backendRefs: [{name: a, port: 80}]
  - matches: [{path: {value: /anycors}}]
    filters:
    - type: CORS
      cors: {allowOrigins: ["*"], allowMethods: ["*"], allowHeaders: ["*"], allowCredentials: true}
    backendRefs: [{name: a, port: 80}]
  - matches: [{path: {value: /custom}}]
    filters: [{type: ExtensionRef, extensionRef: {group: x.io, kind: Auth, name: me}}]
    backendRefs: [{name: a, port: 80}]
---
kind: HTTPRoute
metadata: {name: to-any}
spec:
  parentRefs: [{name: isolated, sectionName: any}]
  rules: [{matches: [{path: {value: /any}}], backendRefs: [{name: a, port: 80}]}]
---
kind: HTTPRoute
metadata: {name: to-wild}
spec:
  parentRefs: [{name: isolated, sectionName: wild}]
  rules: [{matches: [{path: {value: /wild}}], backendRefs: [{name: b, port: 80}]}]
---
kind: HTTPRoute
metadata: {name: to-exact}
spec:
  parentRefs: [{name: isolated, sectionName: exact}]
  rules: [{matches: [{path: {value: /exact}}], backendRefs: [{name: c, port: 80}]}]
"""
EMPTY = """
kind: Service
metadata: {name: empty}
spec: {ports: [{name: web, port: 80}]}
"""
INGRESSES = """
kind: IngressClass
metadata:
  name: fairway
  annotations: {ingressclass.kubernetes.io/is-default-class: "true"}
spec: {controller: fairway.dev/ingress-controller}
---
kind: Gateway
metadata: {name: own}
spec:
  gatewayClassName: fairway
  listeners: [{name: http, port: 8080, protocol: HTTP, hostname: "*.gateway.org"}]
---
kind: HTTPRoute
metadata: {name: beside}
spec:
  parentRefs: [{name: own}]
  rules: [{backendRefs: [{name: c, port: 80}]}]
---
kind: Ingress
metadata: {name: main}
spec:
  defaultBackend: {service: {name: c, port: {name: web}}}
  tls: [{hosts: [secure.com, "*.wild.com"], secretName: cert}]
  rules:
  - host: shop.com
    http:
      paths:
      - {path: /, pathType: Prefix, backend: {service: {name: a, port: {number: 80}}}}
      - {path: /b, pathType: Prefix, backend: {service: {name: b, port: {name: web}}}}
      - {path: /b/c, pathType: Exact, backend: {service: {name: c, port: {number: 80}}}}
      - {path: /gone, pathType: Prefix, backend: {service: {name: gone, port: {number: 80}}}}
  - host: secure.com
    http:
      paths: [{path: /, pathType: Prefix, backend: {service: {name: a, port: {number: 80}}}}]
  - host: "*.wild.com"
    http:
      paths: [{path: /, pathType: Prefix, backend: {service: {name: b, port: {number: 80}}}}]
---
kind: Ingress
metadata:
  name: away
  annotations: {nginx.ingress.kubernetes.io/force-ssl-redirect: "true"}
spec:
  rules:
  - host: away.com
    http:
      paths: [{path: /, pathType: Prefix, backend: {service: {name: a, port: {number: 80}}}}]
---
kind: Ingress
metadata:
  name: groups
  annotations: {nginx.ingress.kubernetes.io/rewrite-target: "/$2"}
spec:
  rules:
  - host: groups.com
    http:
      paths:
      - path: /api(/|$)(.*)
        pathType: ImplementationSpecific
        backend: {service: {name: a, port: {number: 80}}}
---
kind: Ingress
metadata:
  name: closed
  annotations: {nginx.ingress.kubernetes.io/auth-url: "http://auth.example.com"}
spec:
  rules:
  - host: closed.com
    http:
      paths: [{path: /, pathType: Prefix, backend: {service: {name: a, port: {number: 80}}}}]
---
kind: Ingress
metadata: {name: canaried}
spec:
  rules:
  - host: canary.com
    http:
      paths: [{path: /, pathType: Prefix, backend: {service: {name: a, port: {number: 80}}}}]
  - host: valued.com
    http:
      paths: [{path: /, pathType: Prefix, backend: {service: {name: a, port: {number: 80}}}}]
---
kind: Ingress
metadata:
  name: canary
  annotations:
    nginx.ingress.kubernetes.io/canary: "true"
    nginx.ingress.kubernetes.io/canary-weight: "50"
    nginx.ingress.kubernetes.io/canary-weight-total: "200"
    nginx.ingress.kubernetes.io/canary-by-header: X-Canary
    nginx.ingress.kubernetes.io/canary-by-cookie: canary
spec:
  rules:
  - host: canary.com
    http:
      paths: [{path: /, pathType: Prefix, backend: {service: {name: b, port: {number: 80}}}}]
---
kind: Ingress
metadata:
  name: canary-valued
  annotations:
    nginx.ingress.kubernetes.io/canary: "true"
    nginx.ingress.kubernetes.io/canary-by-header: X-Canary
    nginx.ingress.kubernetes.io/canary-by-header-pattern: "^be(ta|st)"
spec:
  rules:
  - host: valued.com
    http:
      paths: [{path: /, pathType: Prefix, backend: {service: {name: b, port: {number: 80}}}}]
"""
