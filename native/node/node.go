// Package node is what a node needs besides Kubernetes' own components: volumes in a folder of
// the machine for claims that name no other class, and the metrics API that autoscaling and
// `kubectl top` read (the metrics-server, with all its flags).
package node

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/component-base/cli"
	"k8s.io/klog/v2"
	metrics "sigs.k8s.io/metrics-server/cmd/metrics-server/app"
	"sigs.k8s.io/sig-storage-lib-external-provisioner/v13/controller"
)

// Run is the component: it serves until it is told to end, and returns the exit status.
func Run([]string) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	return cli.Run(command(ctx))
}

// command is the metrics-server's with the flags of the volumes; the kubeconfig serves both.
func command(ctx context.Context) *cobra.Command {
	made := metrics.NewMetricsServerCommand(ctx.Done())
	made.Use = "node"
	made.Short = "Volumes in a local folder, and metrics.k8s.io"
	made.Long = made.Short + ".\n\n" +
		"  --local-path FOLDER   where volumes are made\n" +
		"  --node-name NAME      the node that mounts them\n" +
		"  --provisioner NAME    what storage classes call this (fairway.dev/local-path)\n"
	flags := made.Flags()
	local := &volumes{}
	flags.StringVar(&local.folder, "local-path", "", "where volumes are made")
	flags.StringVar(&local.node, "node-name", "", "the node that mounts them")
	name := flags.String("provisioner", "fairway.dev/local-path", "what storage classes call this")
	serve := made.RunE
	made.RunE = func(c *cobra.Command, args []string) error {
		if local.folder == "" || local.node == "" {
			return fmt.Errorf("--local-path and --node-name are missing")
		}
		kubeconfig := flags.Lookup("kubeconfig").Value.String() // a flag of the metrics-server's
		provisioner, err := provision(ctx, kubeconfig, *name, local)
		if err != nil {
			return err
		}
		go provisioner.Run(ctx)
		return serve(c, args)
	}
	return made
}

func provision(
	ctx context.Context, kubeconfig, name string, local *volumes,
) (*controller.ProvisionController, error) {
	if err := os.MkdirAll(local.folder, 0o700); err != nil { // volumes in it are open to any user
		return nil, err
	}
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return nil, err
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	logger := klog.Background().WithName("volumes")
	return controller.NewProvisionController(
		klog.NewContext(ctx, logger), client, name, local,
		controller.LeaderElection(false), // one process serves a node
		controller.FailedProvisionThreshold(0),
		controller.FailedDeleteThreshold(0), // again and again, ever slower: a full disk is emptied
	), nil
}
