package toolbox

import (
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/api/types"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"
)

type kustomizeParams struct {
	Path       string
	Restrictor string // rootOnly or none
	Objects    bool
}

// kustomizeBuild is `kustomize build` with plugins and Helm off.
func kustomizeBuild(_ *call, p *kustomizeParams) any {
	options := krusty.MakeDefaultOptions()
	if p.Restrictor == "none" {
		options.LoadRestrictions = types.LoadRestrictionsNone
	}
	built := got(krusty.MakeKustomizer(options).Run(filesys.MakeFsOnDisk(), p.Path))("kustomize-build")
	if !p.Objects {
		return map[string]any{"manifest": string(got(built.AsYaml())("kustomize-build")), "objects": []any{}}
	}
	objects := []any{}
	for _, found := range built.Resources() {
		var object any
		check("kustomize-build", yaml.Unmarshal(got(found.AsYAML())("kustomize-build"), &object))
		objects = append(objects, object)
	}
	return map[string]any{"manifest": "", "objects": objects}
}
