// Command oracle answers questions with Argo Rollouts' own functions: one JSON text a line.
//
// What it does not export is reached by its name in the linker (linked.go).
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"strconv"
	"time"

	"github.com/argoproj/argo-rollouts/pkg/apis/rollouts/v1alpha1"
	analysisutil "github.com/argoproj/argo-rollouts/utils/analysis"
	"github.com/argoproj/argo-rollouts/utils/conditions"
	"github.com/argoproj/argo-rollouts/utils/evaluate"
	"github.com/argoproj/argo-rollouts/utils/replicaset"
	rolloututil "github.com/argoproj/argo-rollouts/utils/rollout"
	timeutil "github.com/argoproj/argo-rollouts/utils/time"
	log "github.com/sirupsen/logrus"
	appsv1 "k8s.io/api/apps/v1"
)

type question struct {
	Method string
	Now    int64 // seconds since 1970

	Run         v1alpha1.AnalysisRun
	Metric      v1alpha1.Metric
	Metrics     []v1alpha1.Metric
	Args        []v1alpha1.Argument
	Result      any
	Terminating bool

	Templates []*v1alpha1.AnalysisTemplate
	Cluster   []*v1alpha1.ClusterAnalysisTemplate
	DryRun    []v1alpha1.DryRun

	Runs        []*v1alpha1.AnalysisRun
	ReplicaSets []*appsv1.ReplicaSet
	Limits      [2]int32

	Rollout *v1alpha1.Rollout
	New     *appsv1.ReplicaSet
	Stable  *appsv1.ReplicaSet
	Old     []*appsv1.ReplicaSet
	Weights *v1alpha1.TrafficWeights
	RunArgs []v1alpha1.AnalysisRunArgument
	Pause   v1alpha1.RolloutPause
	Text    string
}

var methods = map[string]func(*question) (any, error){
	"assess":    assess,
	"compose":   compose,
	"condition": condition,
	"duration":  duration,
	"resolve":   resolve,
	"replicas":  replicas,
	"arguments": arguments,
	"validate":  func(q *question) (any, error) { return nil, analysisutil.ValidateMetrics(q.Metrics) },
	"delete":    toDelete,
	"stepHash":  func(q *question) (any, error) { return conditions.ComputeStepHash(q.Rollout), nil },
	"pause":     func(q *question) (any, error) { return q.Pause.DurationSeconds(), nil },
	"phase":     phase,
}

func main() {
	log.SetLevel(log.PanicLevel)
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(make([]byte, 1<<20), 64<<20)
	for lines.Scan() {
		fmt.Println(string(answer(lines.Bytes())))
	}
}

func answer(line []byte) (data []byte) {
	defer func() {
		if cause := recover(); cause != nil {
			data, _ = json.Marshal(map[string]any{"panic": fmt.Sprint(cause)})
		}
	}()
	q := &question{}
	if err := json.Unmarshal(line, q); err != nil {
		panic(err)
	}
	now := time.Unix(q.Now, 0)
	timeutil.SetNowTimeFunc(func() time.Time { return now })
	found, err := methods[q.Method](q)
	said := map[string]any{"result": found}
	if err != nil {
		said = map[string]any{"error": err.Error()}
	}
	data, err = json.Marshal(said)
	if err != nil {
		panic(err)
	}
	return data
}

// assess judges a run as it stands: which metrics are due, then its status, then when it is next.
func assess(q *question) (any, error) {
	due := []string{}
	for _, name := range dueMetrics(&q.Run, q.Metrics) {
		due = append(due, name)
	}
	dry, err := analysisutil.GetDryRunMetrics(q.DryRun, q.Metrics)
	if err != nil {
		return nil, err
	}
	phase, message := assessRun(&q.Run, q.Metrics, dry)
	q.Run.Status.Phase, q.Run.Status.Message = phase, message
	var next *int64
	if at := nextTime(&q.Run, q.Metrics); at != nil {
		seconds := at.Unix()
		next = &seconds
	}
	return map[string]any{"due": due, "status": q.Run.Status, "next": next}, nil
}

func compose(q *question) (any, error) {
	run, err := analysisutil.NewAnalysisRunFromTemplates(q.Templates, q.Cluster, q.Args, q.DryRun,
		nil, nil, nil, "run", "", "default")
	if err != nil {
		return nil, err
	}
	return run.Spec, nil
}

// condition judges a result; `{"$float": "NaN"}` stands for what JSON cannot say.
func condition(q *question) (any, error) {
	phase, err := evaluate.EvaluateResult(special(q.Result), q.Metric, *log.WithField("", ""))
	return phase, err
}

func special(given any) any {
	switch found := given.(type) {
	case map[string]any:
		if text, is := found["$float"].(string); is {
			number, _ := strconv.ParseFloat(text, 64)
			return number
		}
		if list, is := found["$floats"].([]any); is { // as Prometheus' vectors are
			floats := make([]float64, 0, len(list))
			for _, one := range list {
				number, is := special(one).(float64)
				if !is {
					number = math.NaN()
				}
				floats = append(floats, number)
			}
			return floats
		}
	}
	return given
}

func duration(q *question) (any, error) {
	found, err := time.ParseDuration(q.Text)
	return int64(found), err
}

func resolve(q *question) (any, error) {
	return analysisutil.ResolveMetricArgs(q.Metric, q.Args)
}

func arguments(q *question) (any, error) {
	return analysisutil.BuildArgumentsForRolloutAnalysisRun(q.RunArgs, q.Stable, q.New, q.Rollout)
}

func toDelete(q *question) (any, error) {
	names := []string{}
	for _, run := range analysisutil.FilterAnalysisRunsToDelete(q.Runs, q.ReplicaSets, q.Limits[0], q.Limits[1]) {
		names = append(names, run.Name)
	}
	return names, nil
}

// replicas are the counts of new and stable that a canary wants, basic or by traffic.
func replicas(q *question) (any, error) {
	if q.Rollout.Spec.Strategy.Canary.TrafficRouting != nil {
		fresh, stable := replicaset.CalculateReplicaCountsForTrafficRoutedCanary(q.Rollout, q.New, q.Stable, q.Weights)
		return []int32{fresh, stable}, nil
	}
	fresh, stable := replicaset.CalculateReplicaCountsForBasicCanary(q.Rollout, q.New, q.Stable, q.Old)
	return []int32{fresh, stable}, nil
}

func phase(q *question) (any, error) {
	phase, message := rolloututil.CalculateRolloutPhase(q.Rollout.Spec, q.Rollout.Status)
	return []string{string(phase), message}, nil
}
