// Package conformance runs the Gateway API's own suite against Fairway's gateway. The suite's
// manifests name an image of a registry; here the same program stands in an image of our own.
package conformance

import (
	"bytes"
	"io"
	"io/fs"
	"os"
	"regexp"
	"testing"

	gateway "sigs.k8s.io/gateway-api/apis/v1"
	"sigs.k8s.io/gateway-api/conformance"
)

// CoreDNS stands behind UDPRoutes only, which Fairway does not claim: what is in its place is not asked.
var echo = regexp.MustCompile(`registry\.k8s\.io/(gateway-api/echo-(basic|advanced)|coredns/coredns):\S+`)

// renamed is a file system whose manifests name our image.
type renamed struct {
	fs.FS
	image string
}

type file struct {
	fs.File
	content *bytes.Reader
}

func (f file) Read(into []byte) (int, error) { return f.content.Read(into) }

func (f file) Close() error { return f.File.Close() }

func (r renamed) Open(name string) (fs.File, error) {
	found, err := r.FS.Open(name)
	if err != nil {
		return nil, err
	}
	if info, err := found.Stat(); err != nil || info.IsDir() {
		return found, err
	}
	content, err := io.ReadAll(found)
	if err != nil {
		return nil, err
	}
	return file{found, bytes.NewReader(echo.ReplaceAll(content, []byte(r.image)))}, nil
}

func (r renamed) ReadFile(name string) ([]byte, error) {
	content, err := fs.ReadFile(r.FS, name)
	return echo.ReplaceAll(content, []byte(r.image)), err
}

// addresses is what a Gateway may ask for, or may not, of the range of the cluster under test.
func addresses(t *testing.T, name string) []gateway.GatewaySpecAddress {
	kind := gateway.IPAddressType
	value := os.Getenv(name)
	if value == "" {
		t.Fatal(name + " names an address")
	}
	return []gateway.GatewaySpecAddress{{Type: &kind, Value: value}}
}

func TestGatewayAPI(t *testing.T) {
	image := os.Getenv("ECHO_IMAGE")
	if image == "" {
		t.Fatal("ECHO_IMAGE names the image of the suite's echo program")
	}
	options := conformance.DefaultOptions(t)
	options.ManifestFS = []fs.FS{renamed{&conformance.Manifests, image}}
	options.UsableNetworkAddresses = addresses(t, "USABLE_ADDRESS")
	options.UnusableNetworkAddresses = addresses(t, "UNUSABLE_ADDRESS")
	conformance.RunConformanceWithOptions(t, options)
}
