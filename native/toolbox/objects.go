package toolbox

import (
	"encoding/json"

	jsonpatch "gopkg.in/evanphx/json-patch.v4"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/jsonmergepatch"
	"k8s.io/apimachinery/pkg/util/strategicpatch"
	"k8s.io/kubernetes/pkg/api/legacyscheme"
	strict "sigs.k8s.io/json"

	_ "k8s.io/kubernetes/pkg/controlplane" // registers all built-in kinds
)

// typed is an empty object of a built-in kind, or nil for a kind that Kubernetes does not bring.
func typed(data []byte) runtime.Object {
	var about struct{ APIVersion, Kind string }
	check("bad-object", json.Unmarshal(data, &about))
	kind := schema.FromAPIVersionAndKind(about.APIVersion, about.Kind)
	found, err := legacyscheme.Scheme.New(kind)
	if err != nil || kind.Version == runtime.APIVersionInternal {
		return nil
	}
	return found
}

type mergeParams struct {
	Object, Patch json.RawMessage
	Strategy      string
}

// mergePatch applies a patch: strategic for built-in kinds, else as a JSON merge patch.
func mergePatch(_ *call, p *mergeParams) any {
	known := typed(p.Object)
	if p.Strategy == "strategic" && known == nil {
		panic(problemf("unknown-kind", "a strategic merge is for the kinds that Kubernetes brings"))
	}
	if p.Strategy == "merge" {
		known = nil
	}
	return applied(p.Object, p.Patch, known)
}

func applied(object, patch json.RawMessage, known runtime.Object) any {
	strategy, made := "strategic", []byte(nil)
	if known == nil {
		strategy, made = "merge", got(jsonpatch.MergePatch(object, patch))("bad-patch")
	} else {
		made = got(strategicpatch.StrategicMergePatch(object, patch, known))("bad-patch")
	}
	return map[string]any{"object": json.RawMessage(made), "patch": patch, "strategy": strategy}
}

type threeWayParams struct {
	Last, Wanted, Live json.RawMessage
	Conflicts          bool
}

// threeWay makes of what was applied last, what is wanted and what is there the patch that leaves
// other people's fields alone, and what comes of it.
func threeWay(_ *call, p *threeWayParams) any {
	if string(p.Last) == "null" {
		p.Last = nil
	}
	known := typed(p.Wanted)
	var patch []byte
	if known == nil {
		patch = got(jsonmergepatch.CreateThreeWayJSONMergePatch(p.Last, p.Wanted, p.Live))("bad-patch")
	} else {
		lookup := got(strategicpatch.NewPatchMetaFromStruct(known))("bad-patch")
		patch = got(strategicpatch.CreateThreeWayMergePatch(
			p.Last, p.Wanted, p.Live, lookup, !p.Conflicts))("bad-patch")
	}
	return applied(p.Live, patch, known)
}

type defaultsParams struct {
	Objects []json.RawMessage
}

// A filled object is one with Kubernetes' defaults in, its values written Kubernetes' way.
type filled struct {
	Object  json.RawMessage `json:"object"`
	Known   bool            `json:"known"`
	Strange []string        `json:"strange"` // unknown or duplicate fields
	Error   string          `json:"error"`
}

func defaults(_ *call, p *defaultsParams) any {
	made := make([]filled, 0, len(p.Objects))
	for _, object := range p.Objects {
		made = append(made, fill(object))
	}
	return made
}

func fill(data json.RawMessage) (done filled) {
	into := typed(data)
	done = filled{Object: data, Known: into != nil, Strange: []string{}}
	if into == nil {
		return done
	}
	odd, err := strict.UnmarshalStrict(data, into)
	if err != nil {
		done.Error = err.Error()
		return done
	}
	for _, one := range odd {
		done.Strange = append(done.Strange, one.Error())
	}
	legacyscheme.Scheme.Default(into)
	var before, after map[string]any
	check("bad-object", json.Unmarshal(data, &before))
	check("bad-object", json.Unmarshal(got(json.Marshal(into))("bad-object"), &after))
	if _, said := before["status"]; !said {
		delete(after, "status")
	}
	done.Object = got(encode(deep(after, unstamped)))("not-json")
	return done
}

// unstamped leaves out the empty times that Go's types write.
func unstamped(part any) any {
	if found, is := part.(map[string]any); is && found["creationTimestamp"] == nil {
		delete(found, "creationTimestamp")
	}
	return part
}
