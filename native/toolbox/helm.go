package toolbox

import (
	"cmp"
	"fmt"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"sort"
	"strings"
	"time"
	"unicode/utf8"

	"helm.sh/helm/v4/pkg/action"
	ci "helm.sh/helm/v4/pkg/chart"
	"helm.sh/helm/v4/pkg/chart/common"
	chart "helm.sh/helm/v4/pkg/chart/v2"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	chartutil "helm.sh/helm/v4/pkg/chart/v2/util"
	"helm.sh/helm/v4/pkg/cli/values"
	release "helm.sh/helm/v4/pkg/release/v1"
	releaseutil "helm.sh/helm/v4/pkg/release/v1/util"
	"sigs.k8s.io/yaml"
)

// helmParams are of all methods of Helm. Options holds what `--values` and `--set` take.
type helmParams struct {
	values.Options
	Chart                                                                   string
	Dependencies                                                            string // a folder of charts that charts/ may lack
	Release, Namespace, KubeVersion                                         string
	APIVersions                                                             []string
	IncludeCRDs, NoHooks, SkipTests, IsUpgrade, SkipSchema, Objects, Strict bool
	Version, AppVersion                                                     string
	Time                                                                    int64
}

// helmTemplate is `helm template`: the manifest is what that prints, to the byte.
func helmTemplate(_ *call, p *helmParams) any {
	found := loadChart(p)
	if found.Metadata.Type == "library" {
		panic(&problem{"bad-chart", "library charts are not installable", p.Chart})
	}
	install := action.NewInstall(action.NewConfiguration())
	install.DryRunStrategy, install.Replace = action.DryRunClient, true
	install.ReleaseName, install.Namespace = p.Release, p.Namespace
	install.IncludeCRDs, install.IsUpgrade = p.IncludeCRDs, p.IsUpgrade
	install.SkipSchemaValidation, install.DisableHooks = p.SkipSchema, p.NoHooks
	install.APIVersions, install.KubeVersion = p.APIVersions, kubeVersion(p.KubeVersion)
	values := got(p.MergeValues(nil))("bad-values")
	made := got(install.Run(found, values))("helm-render").(*release.Release)
	text, hooks := strings.TrimSpace(made.Manifest)+"\n", []*release.Hook{}
	objects := parse(made.Manifest, false, p.Objects)
	for _, hook := range made.Hooks {
		if p.NoHooks || (p.SkipTests && slices.Contains(hook.Events, release.HookTest)) {
			continue
		}
		piece := fmt.Sprintf("---\n# Source: %s\n%s\n", hook.Path, hook.Manifest)
		text, hooks = text+piece, append(hooks, hook)
		objects = append(objects, parse(piece, true, p.Objects)...)
	}
	return map[string]any{"manifest": text, "notes": made.Info.Notes, "hooks": hooks,
		"objects": objects, "chart": found.Metadata}
}

func kubeVersion(text string) *common.KubeVersion {
	if text == "" {
		return nil
	}
	return got(common.ParseKubeVersion(text))("bad-params")
}

// parse gives the objects of a text, each with the template that it came from, when wanted.
func parse(text string, hook, wanted bool) []map[string]any {
	pieces, found := releaseutil.SplitManifests(text), []map[string]any{}
	keys := slices.Collect(maps.Keys(pieces))
	sort.Sort(releaseutil.BySplitManifestsOrder(keys))
	for _, key := range keys {
		first, _, _ := strings.Cut(pieces[key], "\n")
		var object any
		if wanted {
			check("helm-render", yaml.Unmarshal([]byte(pieces[key]), &object))
		}
		if object != nil {
			source := strings.TrimPrefix(first, "# Source: ")
			found = append(found, map[string]any{"source": source, "object": object, "hook": hook})
		}
	}
	return found
}

// loadChart reads a chart's folder or archive, and puts in the dependencies that it lacks.
func loadChart(p *helmParams) *chart.Chart {
	found := got(loader.Load(p.Chart))("bad-chart")
	addDependencies(found, p.Chart, p.Dependencies)
	wanted := []ci.Dependency{}
	for _, one := range found.Metadata.Dependencies {
		wanted = append(wanted, one)
	}
	check("chart-dependencies", action.CheckDependencies(found, wanted))
	return found
}

// addDependencies puts in what charts/ lacks: from a `file://` place inside the folder, else from
// the folder of charts that was given, where the last by name that fits wins.
func addDependencies(to *chart.Chart, place, charts string) {
	for _, wanted := range to.Metadata.Dependencies {
		if slices.ContainsFunc(to.Dependencies(), func(own *chart.Chart) bool { return own.Name() == wanted.Name }) {
			continue
		}
		tries := []string{}
		if charts != "" {
			tries, _ = filepath.Glob(path.Join(charts, wanted.Name+"*"))
		}
		if local, is := strings.CutPrefix(wanted.Repository, "file://"); is {
			tries = []string{path.Join(place, local)}
		}
		var best *chart.Chart
		for _, try := range tries {
			found := got(loader.Load(try))("bad-chart")
			if found.Name() == wanted.Name && chartutil.IsCompatibleRange(wanted.Version, found.Metadata.Version) {
				best = found
				addDependencies(best, try, charts)
			}
		}
		if best != nil {
			to.AddDependency(best)
		}
	}
}

// helmLint is `helm lint` of a chart's folder.
func helmLint(_ *call, p *helmParams) any {
	linter := action.NewLint()
	linter.Strict, linter.Namespace, linter.KubeVersion = p.Strict, p.Namespace, kubeVersion(p.KubeVersion)
	found := linter.Run([]string{p.Chart}, got(p.MergeValues(nil))("bad-values"))
	if found.TotalChartsLinted == 0 {
		check("bad-chart", found.Errors[0])
	}
	messages := []map[string]string{}
	for _, one := range found.Messages {
		severity := []string{"unknown", "info", "warning", "error"}[one.Severity]
		messages = append(messages, map[string]string{"severity": severity, "place": one.Path, "message": one.Err.Error()})
	}
	return map[string]any{"messages": messages, "passed": len(found.Errors) == 0}
}

// helmPackage is `helm package`, with one time for all files: the same chart gives the same bytes.
func helmPackage(asked *call, p *helmParams) any {
	found := loadChart(p)
	found.Metadata.Version = cmp.Or(p.Version, found.Metadata.Version)
	found.Metadata.AppVersion = cmp.Or(p.AppVersion, found.Metadata.AppVersion)
	setTime(found, time.Unix(p.Time, 0))
	asked.leave() // from here on, files are the worker's own
	top := got(os.MkdirTemp("", "package"))("toolbox-crashed")
	defer func() { _ = os.RemoveAll(top) }()
	place := got(chartutil.Save(found, top))("bad-chart")
	data := got(os.ReadFile(place))("toolbox-crashed")
	return map[string]any{"name": filepath.Base(place), "data": data, "chart": found.Metadata}
}

func setTime(of *chart.Chart, at time.Time) {
	of.ModTime, of.SchemaModTime = at, at
	if of.Lock != nil {
		of.Lock.Generated = at
	}
	for _, file := range slices.Concat(of.Raw, of.Templates, of.Files) {
		file.ModTime = at
	}
	for _, below := range of.Dependencies() {
		setTime(below, at)
	}
}

// helmShow tells what `helm show all` does, as data: all files by name, those at the top with texts.
func helmShow(_ *call, p *helmParams) any {
	found := got(loader.Load(p.Chart))("bad-chart")
	files, crds, charts := map[string]string{}, []string{}, []string{}
	for _, file := range found.Raw {
		files[file.Name] = ""
		if text := string(file.Data); !strings.Contains(file.Name, "/") && utf8.ValidString(text) {
			files[file.Name] = text
		}
	}
	for _, crd := range found.CRDObjects() {
		crds = append(crds, string(crd.File.Data))
	}
	for _, below := range found.Dependencies() {
		charts = append(charts, below.Name()+"-"+below.Metadata.Version)
	}
	return map[string]any{"chart": found.Metadata, "files": files, "crds": crds, "charts": charts}
}
