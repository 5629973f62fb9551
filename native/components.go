package main

import (
	"context"
	"errors"
	"flag"
	"log/slog"
	"os"

	"github.com/coredns/coredns/coremain"
	_ "github.com/coredns/coredns/plugin/bind"
	_ "github.com/coredns/coredns/plugin/cache"
	_ "github.com/coredns/coredns/plugin/errors"
	_ "github.com/coredns/coredns/plugin/forward"
	_ "github.com/coredns/coredns/plugin/health"
	_ "github.com/coredns/coredns/plugin/hosts"
	_ "github.com/coredns/coredns/plugin/kubernetes"
	_ "github.com/coredns/coredns/plugin/loop"
	_ "github.com/coredns/coredns/plugin/metrics"
	_ "github.com/coredns/coredns/plugin/ready"
	_ "github.com/coredns/coredns/plugin/reload"
	_ "github.com/coredns/coredns/plugin/rewrite"
	helm "helm.sh/helm/v4/pkg/cmd"
	helmkube "helm.sh/helm/v4/pkg/kube"
	_ "k8s.io/client-go/plugin/pkg/client/auth" // kubectl and helm: a kubeconfig's own ways to log in
	"k8s.io/component-base/cli"
	"k8s.io/component-base/logs"
	_ "k8s.io/component-base/logs/json/register" // --logging-format=json
	_ "k8s.io/component-base/metrics/prometheus/clientgo"
	_ "k8s.io/component-base/metrics/prometheus/version"
	kubectl "k8s.io/kubectl/pkg/cmd"
	kubectlutil "k8s.io/kubectl/pkg/cmd/util"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	manager "k8s.io/kubernetes/cmd/kube-controller-manager/app"
	proxy "k8s.io/kubernetes/cmd/kube-proxy/app"
	scheduler "k8s.io/kubernetes/cmd/kube-scheduler/app"
	kubelet "k8s.io/kubernetes/cmd/kubelet/app"
)

func runAPIServer([]string) int         { return cli.Run(apiserver.NewAPIServerCommand()) }
func runControllerManager([]string) int { return cli.Run(manager.NewControllerManagerCommand()) }
func runScheduler([]string) int         { return cli.Run(scheduler.NewSchedulerCommand()) }
func runKubelet([]string) int           { return cli.Run(kubelet.NewKubeletCommand(context.Background())) }

// runProxy leaves out the flags that CoreDNS put among everybody's: its --version hides the proxy's.
func runProxy([]string) int {
	flag.CommandLine = flag.NewFlagSet("kube-proxy", flag.ExitOnError)
	return cli.Run(proxy.NewProxyCommand())
}

func runCoreDNS([]string) int {
	coremain.Run() // it ends the process itself when it fails
	return 0
}

func runKubectl(args []string) int {
	_, _ = logs.GlogSetter(kubectl.GetLogVerbosity(args)) // before the command is made: see kubectl's main
	if err := cli.RunNoErrOutput(kubectl.NewDefaultKubectlCommand()); err != nil {
		kubectlutil.CheckErr(err)
	}
	return 0
}

func runHelm(args []string) int {
	helmkube.ManagedFieldsManager = "helm" // as the real program's, whatever this one is called
	command, err := helm.NewRootCmd(os.Stdout, args, helm.SetupLogging)
	if err != nil {
		slog.Warn("command failed", slog.Any("error", err))
		return 1
	}
	if err := command.Execute(); err != nil {
		var failure helm.CommandError
		if errors.As(err, &failure) {
			return failure.ExitCode
		}
		return 1
	}
	return 0
}
