"""Analysis: measurements judged by conditions and limits, as Argo Rollouts does it."""
