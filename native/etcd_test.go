package main

import (
	"testing"

	"go.etcd.io/etcd/server/v3/embed"
)

func flags(t *testing.T, changed ...string) []string {
	t.Helper()
	return append([]string{"--data-dir", t.TempDir(), "--cert-file", "s.crt",
		"--key-file", "s.key", "--trusted-ca-file", "ca.crt"}, changed...)
}

func TestEtcdAsksEveryClientForACertificateAndListensToNoPeer(t *testing.T) {
	config, err := etcdConfig(flags(t, "--listen-client-url", "https://10.0.0.1:2379"))
	if err != nil {
		t.Fatal(err)
	}
	if !config.ClientTLSInfo.ClientCertAuth || config.ClientTLSInfo.TrustedCAFile != "ca.crt" {
		t.Error("clients", config.ClientTLSInfo)
	}
	if len(config.ListenPeerUrls) != 0 || len(config.ListenMetricsUrls) != 0 {
		t.Error("it listens besides", config.ListenPeerUrls, config.ListenMetricsUrls)
	}
	if got := config.ListenClientUrls[0].String(); got != "https://10.0.0.1:2379" {
		t.Error("address", got)
	}
}

func TestEtcdKeepsWhatItWasTold(t *testing.T) {
	config, err := etcdConfig(flags(t, "--quota-backend-bytes", "1000000000",
		"--auto-compaction-retention", "10m", "--log-level", "info"))
	if err != nil {
		t.Fatal(err)
	}
	if config.QuotaBackendBytes != 1_000_000_000 || config.AutoCompactionRetention != "10m" ||
		config.AutoCompactionMode != embed.CompactorModePeriodic || config.LogLevel != "info" {
		t.Error(config)
	}
	if config.UnsafeNoFsync || config.ForceNewCluster {
		t.Error("it may lose data")
	}
}

func TestEtcdRefusesWhatWouldLeaveItOpen(t *testing.T) {
	cases := map[string][]string{
		"no TLS":         flags(t, "--listen-client-url", "http://127.0.0.1:2379"),
		"no authority":   flags(t, "--trusted-ca-file", ""),
		"no certificate": flags(t, "--cert-file="),
		"no folder":      flags(t, "--data-dir="),
		"no such flag":   flags(t, "--unsafe-no-fsync"),
	}
	for name, words := range cases {
		if _, err := etcdConfig(words); err == nil {
			t.Error(name, "was accepted")
		}
	}
}

func TestEveryComponentIsThere(t *testing.T) {
	for _, name := range []string{"coredns", "etcd", "helm", "kube-apiserver", "kube-controller-manager",
		"kube-proxy", "kube-scheduler", "kubectl", "kubelet", "node", "toolbox"} {
		if programs[name] == nil {
			t.Error(name, "is missing")
		}
	}
	if len(programs) != 11 {
		t.Error("there are others: list them above")
	}
}
