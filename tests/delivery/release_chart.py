"""The chart of the one service of a town, as its repository has it."""

from typing import Final

CHART: Final = {
    "Chart.yaml": "apiVersion: v2\nname: catalogue\nversion: 0.0.0  # Fairway's\n",
    "values.yaml": """\
image:
  repository: acme/catalogue
  digest: ""
greeting: hello
bad: "no"
""",
    "templates/deployment.yaml": """\
{{- $bad := and (hasPrefix "production" .Release.Namespace) (eq .Values.bad "yes") }}
apiVersion: apps/v1
kind: Deployment
metadata:
  name: catalogue
spec:
  progressDeadlineSeconds: {{ ternary 3 300 $bad }}
  selector: {matchLabels: {app: catalogue}}
  template:
    metadata:
      labels: {app: catalogue}
      annotations:
        fake.fairway.dev/ready-after: {{ ternary "never" "0.05" $bad | quote }}
    spec:
      containers:
        - name: catalogue
          image: "{{ .Values.image.repository }}@{{ .Values.image.digest }}"
          env:
            - name: PASSWORD
              valueFrom: {secretKeyRef: {name: catalogue, key: password}}
""",
    "tests/deployment_test.yaml": """\
suite: the deployment
templates: [deployment.yaml]
tests:
  - it: takes the digest
    set: {image.digest: sha256:1}
    asserts:
      - equal:
          path: spec.template.spec.containers[0].image
          value: acme/catalogue@sha256:1
""",
}

ROLLOUT: Final = """\
{{- $bad := and (hasPrefix "production" .Release.Namespace) (eq .Values.bad "yes") }}
apiVersion: argoproj.io/v1alpha1
kind: Rollout
metadata:
  name: catalogue
spec:
  replicas: 2
  progressDeadlineSeconds: {{ ternary 4 300 $bad }}
  progressDeadlineAbort: true
  selector: {matchLabels: {app: catalogue}}
  strategy:
    canary:
      steps: [{setWeight: 50}, {pause: {duration: 1s}}]
  template:
    metadata:
      labels: {app: catalogue}
      annotations:
        fake.fairway.dev/ready-after: {{ ternary "never" "0.05" $bad | quote }}
    spec:
      containers:
        - name: catalogue
          image: "{{ .Values.image.repository }}@{{ .Values.image.digest }}"
          env:
            - name: PASSWORD
              valueFrom: {secretKeyRef: {name: catalogue, key: password}}
"""
