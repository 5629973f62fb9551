package toolbox

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"sort"
	"strings"
	"time"

	"github.com/Masterminds/semver/v3"
	"helm.sh/helm/v4/pkg/action"
	ci "helm.sh/helm/v4/pkg/chart"
	"helm.sh/helm/v4/pkg/chart/common"
	"helm.sh/helm/v4/pkg/chart/loader/archive"
	chart "helm.sh/helm/v4/pkg/chart/v2"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	chartutil "helm.sh/helm/v4/pkg/chart/v2/util"
	"helm.sh/helm/v4/pkg/ignore"
	release "helm.sh/helm/v4/pkg/release/v1"
	releaseutil "helm.sh/helm/v4/pkg/release/v1/util"
	"helm.sh/helm/v4/pkg/strvals"
	"sigs.k8s.io/yaml"
)

type helmValues struct {
	Files   []string         `json:"value_files"`
	Values  []map[string]any `json:"values"`
	JSON    []string         `json:"set_json"`
	Set     []string         `json:"set"`
	String  []string         `json:"set_string"`
	File    []string         `json:"set_file"`
	Literal []string         `json:"set_literal"`
}

type helmChart struct {
	Chart        string `json:"chart"`
	Dependencies string `json:"dependencies"`
}

type helmTemplateParams struct {
	helmChart
	helmValues
	Release     string   `json:"release"`
	Namespace   string   `json:"namespace"`
	KubeVersion string   `json:"kube_version"`
	APIVersions []string `json:"api_versions"`
	CRDs        bool     `json:"include_crds"`
	NoHooks     bool     `json:"no_hooks"`
	SkipTests   bool     `json:"skip_tests"`
	Upgrade     bool     `json:"is_upgrade"`
	NoSchema    bool     `json:"skip_schema_validation"`
	Objects     bool     `json:"objects"`
}

type helmHook struct {
	Name     string   `json:"name"`
	Kind     string   `json:"kind"`
	Source   string   `json:"source"`
	Events   []string `json:"events"`
	Weight   int      `json:"weight"`
	Delete   []string `json:"delete_policies"`
	Manifest string   `json:"manifest"`
}

// A document is one object of a rendered text, and the template that it came from.
type document struct {
	Source string `json:"source"`
	Object any    `json:"object"`
	Hook   bool   `json:"hook"`
}

type rendered struct {
	Manifest string     `json:"manifest"`
	Notes    string     `json:"notes"`
	Name     string     `json:"chart_name"`
	Version  string     `json:"chart_version"`
	App      string     `json:"app_version"`
	Hooks    []helmHook `json:"hooks"`
	Objects  []document `json:"objects"`
}

// helmTemplate is `helm template`: the manifest is what that prints, to the byte.
func helmTemplate(one *job, asked *helmTemplateParams) (any, error) {
	found, err := loadChart(one.folder, &asked.helmChart)
	if err != nil {
		return nil, err
	}
	if kind := found.Metadata.Type; kind != "" && kind != "application" {
		return nil, problemf("bad-chart", "%s charts are not installable", kind)
	}
	values, err := asked.merge(one.folder)
	if err != nil {
		return nil, err
	}
	install := action.NewInstall(action.NewConfiguration())
	install.DryRunStrategy, install.Replace = action.DryRunClient, true
	install.ReleaseName, install.Namespace = asked.Release, asked.Namespace
	if asked.Release == "" {
		install.ReleaseName = "release-name"
	}
	if asked.Namespace == "" {
		install.Namespace = "default"
	}
	install.IncludeCRDs, install.IsUpgrade = asked.CRDs, asked.Upgrade
	install.SkipSchemaValidation, install.DisableHooks = asked.NoSchema, asked.NoHooks
	install.APIVersions = asked.APIVersions
	if install.KubeVersion, err = kubeVersion(asked.KubeVersion); err != nil {
		return nil, err
	}
	made, err := install.Run(found, values)
	if err != nil {
		return nil, blame("helm-render", err)
	}
	return asked.show(found, made.(*release.Release))
}

func kubeVersion(text string) (*common.KubeVersion, error) {
	if text == "" {
		return nil, nil
	}
	version, err := common.ParseKubeVersion(text)
	if err != nil {
		return nil, problemf("bad-params", "kube version %q: %s", text, err)
	}
	return version, nil
}

func (asked *helmTemplateParams) show(found *chart.Chart, made *release.Release) (any, error) {
	var text bytes.Buffer
	_, _ = fmt.Fprintln(&text, strings.TrimSpace(made.Manifest))
	shown := rendered{Notes: made.Info.Notes, Name: found.Metadata.Name,
		Version: found.Metadata.Version, App: found.Metadata.AppVersion,
		Hooks: []helmHook{}, Objects: []document{}}
	if asked.Objects {
		if err := shown.parse(made.Manifest, false); err != nil {
			return nil, err
		}
	}
	for _, hook := range made.Hooks {
		if asked.NoHooks || (asked.SkipTests && slices.Contains(hook.Events, release.HookTest)) {
			continue
		}
		piece := fmt.Sprintf("---\n# Source: %s\n%s\n", hook.Path, hook.Manifest)
		text.WriteString(piece)
		about := helmHook{Name: hook.Name, Kind: hook.Kind, Source: hook.Path, Weight: hook.Weight,
			Manifest: hook.Manifest, Events: words(hook.Events), Delete: words(hook.DeletePolicies)}
		shown.Hooks = append(shown.Hooks, about)
		if asked.Objects {
			if err := shown.parse(piece, true); err != nil {
				return nil, err
			}
		}
	}
	shown.Manifest = text.String()
	return shown, nil
}

func words[T ~string](of []T) []string {
	texts := make([]string, 0, len(of))
	for _, one := range of {
		texts = append(texts, string(one))
	}
	return texts
}

func (shown *rendered) parse(text string, hook bool) error {
	pieces := releaseutil.SplitManifests(text)
	keys := slices.Collect(maps.Keys(pieces))
	sort.Sort(releaseutil.BySplitManifestsOrder(keys))
	for _, key := range keys {
		source := ""
		if first, _, _ := strings.Cut(pieces[key], "\n"); strings.HasPrefix(first, "# Source: ") {
			source = strings.TrimPrefix(first, "# Source: ")
		}
		var object any
		if err := yaml.Unmarshal([]byte(pieces[key]), &object); err != nil {
			return &problem{Code: "helm-render", Message: source + ": " + err.Error(), Place: source}
		}
		if object != nil {
			shown.Objects = append(shown.Objects, document{Source: source, Object: object, Hook: hook})
		}
	}
	return nil
}

// loadChart reads a chart's folder or archive, and puts in the dependencies that it lacks.
func loadChart(in *folder, asked *helmChart) (*chart.Chart, error) {
	found, err := readChart(in, asked.Chart)
	if err != nil {
		return nil, err
	}
	if err := addDependencies(in, found, asked); err != nil {
		return nil, err
	}
	wanted := []ci.Dependency{}
	for _, one := range found.Metadata.Dependencies {
		wanted = append(wanted, one)
	}
	if err := action.CheckDependencies(found, wanted); err != nil {
		return nil, &problem{Code: "chart-dependencies", Message: err.Error(), Place: asked.Chart}
	}
	return found, nil
}

func readChart(in *folder, given string) (*chart.Chart, error) {
	files, err := chartFiles(in, given)
	if err != nil {
		return nil, err
	}
	found, err := loader.LoadFiles(files)
	if err == nil {
		err = found.Validate()
	}
	if err != nil {
		place, _ := blame("bad-chart", err).(*problem)
		place.Place = given
		return nil, place
	}
	return found, nil
}

// chartFiles are a chart's files by names relative to it: of a folder without what .helmignore
// names, or of an archive.
func chartFiles(in *folder, given string) ([]*archive.BufferedFile, error) {
	top, err := in.name(given)
	if err != nil {
		return nil, err
	}
	about, err := in.root.Stat(top)
	if err != nil {
		return nil, missing(given, err)
	}
	if !about.IsDir() {
		data, err := in.read(given)
		if err != nil {
			return nil, err
		}
		files, err := archive.LoadArchiveFiles(bytes.NewReader(data))
		return files, blame("bad-chart", err)
	}
	rules := ignore.Empty()
	if data, err := in.read(path.Join(top, ignore.HelmIgnore)); err == nil {
		if rules, err = ignore.Parse(bytes.NewReader(data)); err != nil {
			return nil, blame("bad-chart", err)
		}
	}
	rules.AddDefaults()
	files := []*archive.BufferedFile{}
	err = in.walk(top, rules.Ignore, func(name string, about fs.FileInfo) error {
		if about.Size() > archive.MaxDecompressedFileSize {
			return &problem{Code: "bad-chart", Message: name + " is larger than 5 MiB", Place: name}
		}
		data, err := in.read(path.Join(top, name))
		data = bytes.TrimPrefix(data, []byte("\xEF\xBB\xBF"))
		files = append(files, &archive.BufferedFile{Name: name, Data: data, ModTime: time.Unix(0, 0)})
		return err
	})
	return files, err
}

func (v *helmValues) merge(in *folder) (map[string]any, error) {
	base := map[string]any{}
	for _, name := range v.Files {
		data, err := in.read(name)
		if err != nil {
			return nil, err
		}
		values, err := loader.LoadValues(bytes.NewReader(data))
		if err != nil {
			return nil, &problem{Code: "bad-values", Message: name + ": " + err.Error(), Place: name}
		}
		base = loader.MergeMaps(base, values)
	}
	for _, values := range v.Values {
		base = loader.MergeMaps(base, values)
	}
	read := func(name []rune) (any, error) {
		data, err := in.read(string(name))
		return string(data), err
	}
	file := func(text string, into map[string]any) error { return strvals.ParseIntoFile(text, into, read) }
	for _, kind := range []struct {
		texts []string
		parse func(string, map[string]any) error
	}{
		{v.JSON, parseJSON}, {v.Set, strvals.ParseInto}, {v.String, strvals.ParseIntoString},
		{v.File, file}, {v.Literal, strvals.ParseLiteralInto},
	} {
		for _, text := range kind.texts {
			if err := kind.parse(text, base); err != nil {
				var known *problem
				if errors.As(err, &known) {
					return nil, known
				}
				return nil, &problem{Code: "bad-values", Message: err.Error(), Place: text}
			}
		}
	}
	return base, nil
}

// parseJSON takes KEY=JSON, or one JSON object to be merged in, as `--set-json` does.
func parseJSON(text string, into map[string]any) error {
	if !strings.HasPrefix(strings.TrimSpace(text), "{") {
		return strvals.ParseJSON(text, into)
	}
	values, err := loader.LoadValues(strings.NewReader(text))
	maps.Copy(into, loader.MergeMaps(into, values))
	return err
}

// addDependencies puts in what charts/ lacks: from a `file://` place inside the folder, else from
// the folder of charts that was given, where the newest version that fits wins.
func addDependencies(in *folder, found *chart.Chart, asked *helmChart) error {
	have := map[string]bool{}
	for _, own := range found.Dependencies() {
		have[own.Name()] = true
	}
	for _, wanted := range found.Metadata.Dependencies {
		if have[wanted.Name] {
			continue
		}
		added, err := findDependency(in, wanted, asked)
		if err != nil {
			return err
		}
		if added != nil {
			have[wanted.Name] = true
			found.AddDependency(added)
		}
	}
	return nil
}

func findDependency(in *folder, wanted *chart.Dependency, asked *helmChart) (*chart.Chart, error) {
	if place, local := strings.CutPrefix(wanted.Repository, "file://"); local {
		place = path.Join(asked.Chart, place)
		found, err := readChart(in, place)
		if err != nil {
			return nil, err
		}
		return found, addDependencies(in, found, &helmChart{Chart: place, Dependencies: asked.Dependencies})
	}
	if asked.Dependencies == "" {
		return nil, nil
	}
	top, err := in.name(asked.Dependencies)
	if err != nil {
		return nil, err
	}
	entries, err := fs.ReadDir(in.root.FS(), top)
	if err != nil {
		return nil, missing(asked.Dependencies, err)
	}
	fits, err := semver.NewConstraint(wanted.Version)
	if err != nil {
		return nil, problemf("chart-dependencies", "%s: version %q: %s", wanted.Name, wanted.Version, err)
	}
	var best *chart.Chart
	var newest *semver.Version
	for _, entry := range entries {
		if !strings.HasPrefix(entry.Name(), wanted.Name) {
			continue
		}
		found, err := readChart(in, path.Join(top, entry.Name()))
		if err != nil {
			return nil, err
		}
		version, err := semver.NewVersion(found.Metadata.Version)
		if found.Name() == wanted.Name && err == nil && fits.Check(version) &&
			(newest == nil || version.GreaterThan(newest)) {
			best, newest = found, version
		}
	}
	return best, nil
}

type helmLintParams struct {
	helmChart
	helmValues
	Strict      bool   `json:"strict"`
	Namespace   string `json:"namespace"`
	KubeVersion string `json:"kube_version"`
}

type lintMessage struct {
	Severity string `json:"severity"`
	Place    string `json:"place"`
	Message  string `json:"message"`
}

// helmLint runs Helm's rules on a copy without links.
func helmLint(one *job, asked *helmLintParams) (any, error) {
	values, err := asked.merge(one.folder)
	if err != nil {
		return nil, err
	}
	files, err := chartFiles(one.folder, asked.Chart)
	if err != nil {
		return nil, err
	}
	linter := action.NewLint()
	linter.Strict, linter.Namespace = asked.Strict, asked.Namespace
	if linter.KubeVersion, err = kubeVersion(asked.KubeVersion); err != nil {
		return nil, err
	}
	name := path.Base(path.Join(one.folder.path, asked.Chart))
	copied, err := copyChart(files, name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(filepath.Dir(copied)) }()
	found := linter.Run([]string{copied}, values)
	shown := []lintMessage{}
	for _, message := range found.Messages {
		severity := []string{"unknown", "info", "warning", "error"}[max(message.Severity, 0)]
		text := strings.ReplaceAll(message.Err.Error(), copied+"/", "")
		shown = append(shown, lintMessage{severity, message.Path, text})
	}
	return map[string]any{"messages": shown, "passed": len(found.Errors) == 0}, nil
}

func copyChart(files []*archive.BufferedFile, name string) (string, error) {
	top, err := os.MkdirTemp("", "chart")
	if err != nil {
		return "", err
	}
	for _, file := range files {
		if file.Name == "Chart.yaml" && path.Ext(name) == ".tgz" {
			var about chart.Metadata
			_ = yaml.Unmarshal(file.Data, &about)
			name = about.Name
		}
	}
	if !filepath.IsLocal(name) {
		name = "chart"
	}
	for _, file := range files {
		place := filepath.Join(top, name, file.Name)
		if err := os.MkdirAll(filepath.Dir(place), 0o700); err != nil {
			return "", err
		}
		if err := os.WriteFile(place, file.Data, 0o600); err != nil {
			return "", err
		}
	}
	return filepath.Join(top, name), nil
}

type helmPackageParams struct {
	helmChart
	Version    string `json:"version"`
	AppVersion string `json:"app_version"`
	Time       int64  `json:"time"`
}

// helmPackage is `helm package`, with one time for all files: the same chart gives the same bytes.
func helmPackage(one *job, asked *helmPackageParams) (any, error) {
	found, err := loadChart(one.folder, &asked.helmChart)
	if err != nil {
		return nil, err
	}
	if asked.Version != "" {
		found.Metadata.Version = asked.Version
	}
	if asked.AppVersion != "" {
		found.Metadata.AppVersion = asked.AppVersion
	}
	setTime(found, time.Unix(asked.Time, 0))
	top, err := os.MkdirTemp("", "package")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(top) }()
	place, err := chartutil.Save(found, top)
	if err != nil {
		return nil, blame("bad-chart", err)
	}
	data, err := os.ReadFile(place)
	return map[string]any{"name": filepath.Base(place), "data": data,
		"chart_name": found.Name(), "chart_version": found.Metadata.Version}, err
}

func setTime(of *chart.Chart, at time.Time) {
	of.ModTime, of.SchemaModTime = at, at
	if of.Lock != nil {
		of.Lock.Generated = at
	}
	for _, files := range [][]*common.File{of.Raw, of.Templates, of.Files} {
		for _, file := range files {
			file.ModTime = at
		}
	}
	for _, below := range of.Dependencies() {
		setTime(below, at)
	}
}

// helmShow tells what `helm show all` does, as data.
func helmShow(one *job, asked *helmChart) (any, error) {
	found, err := readChart(one.folder, asked.Chart)
	if err != nil {
		return nil, err
	}
	shown := map[string]any{"metadata": found.Metadata, "values": "", "readme": "",
		"schema": string(found.Schema)}
	files, crds, charts := []string{}, []string{}, []string{}
	for _, file := range found.Raw {
		files = append(files, file.Name)
		if file.Name == chartutil.ValuesfileName {
			shown["values"] = string(file.Data)
		}
		if strings.EqualFold(file.Name, "readme.md") || strings.EqualFold(file.Name, "readme.txt") {
			shown["readme"] = string(file.Data)
		}
	}
	for _, crd := range found.CRDObjects() {
		crds = append(crds, string(crd.File.Data))
	}
	for _, below := range found.Dependencies() {
		charts = append(charts, below.Name()+"-"+below.Metadata.Version)
	}
	shown["files"], shown["crds"], shown["charts"] = files, crds, charts
	return shown, nil
}
