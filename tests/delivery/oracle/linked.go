package main

import (
	"reflect"
	"time"
	"unsafe"

	"github.com/argoproj/argo-rollouts/analysis"
	"github.com/argoproj/argo-rollouts/pkg/apis/rollouts/v1alpha1"
	"github.com/argoproj/argo-rollouts/utils/record"
)

// task is the original's metricTask.
type task struct {
	metric     v1alpha1.Metric
	incomplete *v1alpha1.Measurement
}

//go:linkname generateMetricTasks github.com/argoproj/argo-rollouts/analysis.generateMetricTasks
func generateMetricTasks(run *v1alpha1.AnalysisRun, metrics []v1alpha1.Metric) []task

//go:linkname calculateNextReconcileTime github.com/argoproj/argo-rollouts/analysis.calculateNextReconcileTime
func calculateNextReconcileTime(run *v1alpha1.AnalysisRun, metrics []v1alpha1.Metric) *time.Time

//go:linkname assessRunStatus github.com/argoproj/argo-rollouts/analysis.(*Controller).assessRunStatus
func assessRunStatus(c *analysis.Controller, run *v1alpha1.AnalysisRun, metrics []v1alpha1.Metric,
	dryRun map[string]bool) (v1alpha1.AnalysisPhase, string)

var controller = withRecorder(&analysis.Controller{})

// withRecorder gives a controller what it tells events to: it must have one to judge a run.
func withRecorder(made *analysis.Controller) *analysis.Controller {
	field := reflect.ValueOf(made).Elem().FieldByName("recorder")
	place := reflect.NewAt(field.Type(), unsafe.Pointer(field.UnsafeAddr())).Elem()
	place.Set(reflect.ValueOf(record.NewFakeEventRecorder()))
	return made
}

func dueMetrics(run *v1alpha1.AnalysisRun, metrics []v1alpha1.Metric) []string {
	names := []string{}
	for _, one := range generateMetricTasks(run, metrics) {
		names = append(names, one.metric.Name)
	}
	return names
}

func nextTime(run *v1alpha1.AnalysisRun, metrics []v1alpha1.Metric) *time.Time {
	return calculateNextReconcileTime(run, metrics)
}

func assessRun(run *v1alpha1.AnalysisRun, metrics []v1alpha1.Metric, dryRun map[string]bool) (
	v1alpha1.AnalysisPhase, string,
) {
	return assessRunStatus(controller, run, metrics, dryRun)
}
