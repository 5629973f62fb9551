package toolbox

import (
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/api/types"
	"sigs.k8s.io/kustomize/kyaml/filesys"
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
	text, objects := got(built.AsYaml())("kustomize-build"), []any{}
	if p.Objects {
		for _, one := range parse(string(text), false, true) {
			objects = append(objects, one["object"])
		}
	}
	return map[string]any{"manifest": string(text), "objects": objects}
}
