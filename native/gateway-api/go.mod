// Only what lies in the module's folders is used: the Gateway API's own definitions.
module fairway.dev/native/gateway-api

go 1.26.0

require sigs.k8s.io/gateway-api v1.6.3
