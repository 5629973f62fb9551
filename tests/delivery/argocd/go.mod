// What tests read of Argo CD's published sources: its own cases. Nothing of it is built.
module fairway/argocd-cases

go 1.26.1

require (
	github.com/argoproj/argo-cd/gitops-engine v0.0.0-20260914071520-c9c369efcc5b
	github.com/argoproj/argo-cd/v3 v3.5.7
)
