package toolbox

import (
	"bytes"
	"encoding/json"

	jsonpatch "gopkg.in/evanphx/json-patch.v4"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/jsonmergepatch"
	"k8s.io/apimachinery/pkg/util/strategicpatch"
	"k8s.io/kubernetes/pkg/api/legacyscheme"
	strict "sigs.k8s.io/json"

	_ "k8s.io/kubernetes/pkg/apis/admissionregistration/install"
	_ "k8s.io/kubernetes/pkg/apis/apps/install"
	_ "k8s.io/kubernetes/pkg/apis/autoscaling/install"
	_ "k8s.io/kubernetes/pkg/apis/batch/install"
	_ "k8s.io/kubernetes/pkg/apis/certificates/install"
	_ "k8s.io/kubernetes/pkg/apis/coordination/install"
	_ "k8s.io/kubernetes/pkg/apis/core/install"
	_ "k8s.io/kubernetes/pkg/apis/discovery/install"
	_ "k8s.io/kubernetes/pkg/apis/events/install"
	_ "k8s.io/kubernetes/pkg/apis/extensions/install"
	_ "k8s.io/kubernetes/pkg/apis/flowcontrol/install"
	_ "k8s.io/kubernetes/pkg/apis/networking/install"
	_ "k8s.io/kubernetes/pkg/apis/node/install"
	_ "k8s.io/kubernetes/pkg/apis/policy/install"
	_ "k8s.io/kubernetes/pkg/apis/rbac/install"
	_ "k8s.io/kubernetes/pkg/apis/resource/install"
	_ "k8s.io/kubernetes/pkg/apis/scheduling/install"
	_ "k8s.io/kubernetes/pkg/apis/storage/install"
)

// typed is an empty object of a built-in kind, or nil for a kind that Kubernetes does not bring.
func typed(data []byte) runtime.Object {
	var about struct {
		APIVersion string `json:"apiVersion"`
		Kind       string `json:"kind"`
	}
	if json.Unmarshal(data, &about) != nil {
		return nil
	}
	kind := schema.FromAPIVersionAndKind(about.APIVersion, about.Kind)
	if kind.Version == runtime.APIVersionInternal {
		return nil
	}
	found, err := legacyscheme.Scheme.New(kind)
	if err != nil {
		return nil
	}
	return found
}

type mergeParams struct {
	Object   json.RawMessage `json:"object"`
	Patch    json.RawMessage `json:"patch"`
	Strategy string          `json:"strategy"`
}

// mergePatch applies a patch: strategic for built-in kinds, else as a JSON merge patch.
func mergePatch(_ *job, asked *mergeParams) (any, error) {
	schemaOf := typed(asked.Object)
	switch {
	case asked.Strategy == "merge":
		schemaOf = nil
	case asked.Strategy == "strategic" && schemaOf == nil:
		return nil, problemf("unknown-kind", "strategic merge is for the kinds that Kubernetes brings")
	case asked.Strategy != "" && asked.Strategy != "strategic":
		return nil, problemf("bad-params", "strategy %q: strategic, merge or nothing", asked.Strategy)
	}
	return applied(asked.Object, asked.Patch, schemaOf)
}

func applied(object, patch []byte, schemaOf runtime.Object) (any, error) {
	strategy, apply := "merge", func() ([]byte, error) { return jsonpatch.MergePatch(object, patch) }
	if schemaOf != nil {
		strategy = "strategic"
		apply = func() ([]byte, error) { return strategicpatch.StrategicMergePatch(object, patch, schemaOf) }
	}
	made, err := apply()
	if err != nil {
		return nil, problemf("bad-patch", "%s", err)
	}
	return map[string]any{"object": rawJSON(made), "patch": rawJSON(patch), "strategy": strategy}, nil
}

type threeWayParams struct {
	Last      json.RawMessage `json:"last"`
	Wanted    json.RawMessage `json:"wanted"`
	Live      json.RawMessage `json:"live"`
	Conflicts bool            `json:"refuse_conflicts"`
}

// threeWay makes of what was applied last, what is wanted and what is there the patch that leaves
// other people's fields alone, and what comes of it.
func threeWay(_ *job, asked *threeWayParams) (any, error) {
	if len(asked.Last) == 0 || bytes.Equal(asked.Last, []byte("null")) {
		asked.Last = nil
	}
	schemaOf := typed(asked.Wanted)
	var patch []byte
	var err error
	if schemaOf == nil {
		patch, err = jsonmergepatch.CreateThreeWayJSONMergePatch(asked.Last, asked.Wanted, asked.Live)
	} else {
		var lookup strategicpatch.PatchMetaFromStruct
		if lookup, err = strategicpatch.NewPatchMetaFromStruct(schemaOf); err == nil {
			patch, err = strategicpatch.CreateThreeWayMergePatch(
				asked.Last, asked.Wanted, asked.Live, lookup, !asked.Conflicts)
		}
	}
	if err != nil {
		return nil, problemf("bad-patch", "%s", err)
	}
	return applied(asked.Live, patch, schemaOf)
}

type defaultsParams struct {
	Objects []json.RawMessage `json:"objects"`
}

// A filled object is one with Kubernetes' defaults in, its values written Kubernetes' way.
type filled struct {
	Object  json.RawMessage `json:"object"`
	Known   bool            `json:"known"`
	Strange []string        `json:"strange"` // unknown or duplicate fields
	Error   *problem        `json:"error"`
}

func defaults(_ *job, asked *defaultsParams) (any, error) {
	made := make([]filled, 0, len(asked.Objects))
	for _, object := range asked.Objects {
		made = append(made, fill(object))
	}
	return made, nil
}

func fill(data json.RawMessage) filled {
	into := typed(data)
	if into == nil {
		return filled{Object: data, Strange: []string{}}
	}
	done := filled{Object: data, Known: true, Strange: []string{}}
	odd, err := strict.UnmarshalStrict(data, into)
	if err != nil {
		done.Error = problemf("bad-object", "%s", err)
		return done
	}
	for _, one := range odd {
		done.Strange = append(done.Strange, one.Error())
	}
	legacyscheme.Scheme.Default(into)
	written, err := json.Marshal(into)
	var before, after map[string]any
	if err != nil || json.Unmarshal(data, &before) != nil || json.Unmarshal(written, &after) != nil {
		done.Error = problemf("bad-object", "not an object of Kubernetes: %v", err)
		return done
	}
	if _, said := before["status"]; !said {
		delete(after, "status")
	}
	unstamped(after)
	done.Object, _ = json.Marshal(after)
	return done
}

// unstamped leaves out the empty times that Go's types write.
func unstamped(value any) {
	switch found := value.(type) {
	case map[string]any:
		if at, said := found["creationTimestamp"]; said && at == nil {
			delete(found, "creationTimestamp")
		}
		for _, item := range found {
			unstamped(item)
		}
	case []any:
		for _, item := range found {
			unstamped(item)
		}
	}
}
