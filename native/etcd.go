package main

import (
	"flag"
	"fmt"
	"net/url"
	"os"
	"os/signal"
	"syscall"

	"go.etcd.io/etcd/client/pkg/v3/transport"
	"go.etcd.io/etcd/server/v3/embed"
)

// runEtcd serves one member to clients with certificates of the trusted authority.
func runEtcd(args []string) int {
	config, err := etcdConfig(args)
	if err != nil {
		_, _ = fmt.Fprintln(os.Stderr, "etcd:", err)
		return 2
	}
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, os.Interrupt, syscall.SIGTERM)
	server, err := embed.StartEtcd(config)
	if err == nil {
		defer server.Close()
		select {
		case <-stop:
			return 0
		case err = <-server.Err():
		}
	}
	_, _ = fmt.Fprintln(os.Stderr, "etcd:", err)
	return 1
}

// etcdConfig is the configuration that the flags ask for. Clients without a certificate are
// always refused; a lone member has no peers and listens to none.
func etcdConfig(args []string) (*embed.Config, error) {
	flags := flag.NewFlagSet("etcd", flag.ContinueOnError)
	data := flags.String("data-dir", "", "folder of the data; made when missing")
	client := flags.String("listen-client-url", "https://127.0.0.1:2379", "where clients are served")
	cert := flags.String("cert-file", "", "the server's certificate")
	key := flags.String("key-file", "", "the server's key")
	trusted := flags.String("trusted-ca-file", "", "authority of the clients' certificates")
	quota := flags.Int64("quota-backend-bytes", 2<<30, "size of the database above which writes fail")
	retention := flags.String("auto-compaction-retention", "5m", "history that is kept")
	level := flags.String("log-level", "warn", "debug, info, warn or error")
	if err := flags.Parse(args); err != nil {
		return nil, err
	}
	for name, value := range map[string]string{"data-dir": *data, "cert-file": *cert,
		"key-file": *key, "trusted-ca-file": *trusted} {
		if value == "" {
			return nil, fmt.Errorf("--%s is missing", name)
		}
	}
	address, err := url.Parse(*client)
	if err != nil || address.Scheme != "https" {
		return nil, fmt.Errorf("--listen-client-url %s is not an https URL", *client)
	}
	config := embed.NewConfig()
	config.Name = "fairway"
	config.InitialCluster = config.InitialClusterFromName(config.Name)
	config.Dir = *data
	config.ListenClientUrls = []url.URL{*address}
	config.AdvertiseClientUrls = config.ListenClientUrls
	config.ListenPeerUrls = nil
	config.EnableGRPCGateway = false // nobody speaks JSON to it
	config.ClientTLSInfo = transport.TLSInfo{
		CertFile: *cert, KeyFile: *key, TrustedCAFile: *trusted, ClientCertAuth: true,
	}
	config.QuotaBackendBytes = *quota
	config.AutoCompactionMode = embed.CompactorModePeriodic
	config.AutoCompactionRetention = *retention
	// Entries of the log are kept in memory for members that lag behind: there are none.
	config.SnapshotCount, config.SnapshotCatchUpEntries = 2000, 100
	config.LogLevel = *level
	return config, config.Validate()
}
