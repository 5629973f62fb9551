package toolbox

import (
	"errors"
	"io/fs"
	"path"
	"path/filepath"
	"strings"

	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/api/types"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"
)

type kustomizeParams struct {
	Path       string `json:"path"`
	Restrictor string `json:"load_restrictor"`
	Objects    bool   `json:"objects"`
}

// kustomizeBuild is `kustomize build` with plugins and Helm off.
func kustomizeBuild(one *job, asked *kustomizeParams) (any, error) {
	if one.folder == nil {
		return nil, problemf("bad-params", "kustomize needs a folder")
	}
	name, err := one.folder.name(asked.Path)
	if err != nil {
		return nil, err
	}
	options := krusty.MakeDefaultOptions()
	switch asked.Restrictor {
	case "", "rootOnly":
	case "none":
		options.LoadRestrictions = types.LoadRestrictionsNone
	default:
		return nil, problemf("bad-params", "load_restrictor %q: rootOnly or none", asked.Restrictor)
	}
	built, err := krusty.MakeKustomizer(options).Run(kustomizeFiles{one.folder}, "/"+name)
	if err != nil {
		return nil, kustomizeProblem(err)
	}
	if !asked.Objects {
		text, err := built.AsYaml()
		return map[string]any{"manifest": string(text), "objects": []any{}}, blame("kustomize-build", err)
	}
	objects := []any{}
	for _, found := range built.Resources() {
		text, err := found.AsYAML()
		if err != nil {
			return nil, blame("kustomize-build", err)
		}
		var object any
		if err := yaml.Unmarshal(text, &object); err != nil {
			return nil, blame("kustomize-build", err)
		}
		objects = append(objects, object)
	}
	return map[string]any{"manifest": "", "objects": objects}, nil
}

func kustomizeProblem(err error) error {
	text := err.Error()
	for _, sign := range []string{"no 'git' program", "executable file not found", "has no network"} {
		if strings.Contains(text, sign) {
			return problemf("no-network", "the toolbox has no network, and a part is remote: %s", text)
		}
	}
	told, _ := blame("kustomize-build", err).(*problem)
	if strings.Contains(text, "leads out of the folder") {
		told.Code = "outside-folder"
	}
	return told
}

// kustomizeFiles is a folder as kustomize sees a disk: "/" is the folder, and nothing is written.
type kustomizeFiles struct{ in *folder }

var errReadOnly = errors.New("files are not written here")

func inner(name string) string { return path.Join(".", strings.TrimLeft(path.Clean("/"+name), "/")) }

func (k kustomizeFiles) Create(string) (filesys.File, error) { return nil, errReadOnly }
func (k kustomizeFiles) Mkdir(string) error                  { return errReadOnly }
func (k kustomizeFiles) MkdirAll(string) error               { return errReadOnly }
func (k kustomizeFiles) RemoveAll(string) error              { return nil }
func (k kustomizeFiles) WriteFile(string, []byte) error      { return errReadOnly }
func (k kustomizeFiles) Open(string) (filesys.File, error)   { return nil, errReadOnly }

func (k kustomizeFiles) IsDir(name string) bool {
	about, err := k.in.root.Stat(inner(name))
	return err == nil && about.IsDir()
}

func (k kustomizeFiles) Exists(name string) bool {
	_, err := k.in.root.Stat(inner(name))
	return err == nil
}

func (k kustomizeFiles) ReadDir(name string) ([]string, error) {
	entries, err := fs.ReadDir(k.in.root.FS(), inner(name))
	names := make([]string, 0, len(entries))
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	return names, err
}

func (k kustomizeFiles) CleanedAbs(name string) (filesys.ConfirmedDir, string, error) {
	real, err := k.in.resolve(inner(name))
	if err != nil {
		return "", "", missing(inner(name), err)
	}
	if k.IsDir(real) {
		return filesys.ConfirmedDir(path.Join("/", real)), "", nil
	}
	return filesys.ConfirmedDir(path.Join("/", path.Dir(real))), path.Base(real), nil
}

func (k kustomizeFiles) Glob(pattern string) ([]string, error) {
	found, err := fs.Glob(k.in.root.FS(), inner(pattern))
	for index, name := range found {
		found[index] = "/" + name
	}
	return found, err
}

func (k kustomizeFiles) ReadFile(name string) ([]byte, error) { return k.in.read(inner(name)) }

func (k kustomizeFiles) Walk(name string, visit filepath.WalkFunc) error {
	return fs.WalkDir(k.in.root.FS(), inner(name), func(at string, entry fs.DirEntry, err error) error {
		if err != nil {
			return visit("/"+at, nil, err)
		}
		about, err := entry.Info()
		return visit("/"+at, about, err)
	})
}
