package node

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	core "k8s.io/api/core/v1"
	storage "k8s.io/api/storage/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/sig-storage-lib-external-provisioner/v13/controller"
)

func asked(change func(*core.PersistentVolumeClaim)) controller.ProvisionOptions {
	policy := core.PersistentVolumeReclaimDelete
	claim := &core.PersistentVolumeClaim{}
	claim.Spec.AccessModes = []core.PersistentVolumeAccessMode{core.ReadWriteOnce}
	claim.Spec.Resources.Requests = core.ResourceList{core.ResourceStorage: resource.MustParse("1Gi")}
	change(claim)
	return controller.ProvisionOptions{
		PVName: "pvc-1", PVC: claim, SelectedNodeName: "node1",
		StorageClass: &storage.StorageClass{ReclaimPolicy: &policy},
	}
}

func plain(*core.PersistentVolumeClaim) {}

func TestAVolumeIsAFolderOnItsNodeThatAnyContainerMayWriteTo(t *testing.T) {
	served := &volumes{folder: t.TempDir(), node: "node1"}
	for range 2 { // a second call finds the folder of the first
		volume, state, err := served.Provision(context.Background(), asked(plain))
		if err != nil || state != controller.ProvisioningFinished {
			t.Fatal(state, err)
		}
		found, err := os.Stat(volume.Spec.Local.Path)
		if err != nil || found.Mode().Perm() != 0o777 {
			t.Fatal(found, err)
		}
		if size := volume.Spec.Capacity[core.ResourceStorage]; size.String() != "1Gi" {
			t.Error("capacity", size)
		}
		terms := volume.Spec.NodeAffinity.Required.NodeSelectorTerms
		if got := terms[0].MatchExpressions[0]; got.Key != core.LabelHostname || got.Values[0] != "node1" {
			t.Error("affinity", got)
		}
	}
}

func TestAClaimOfAnotherNodeIsLeftToIt(t *testing.T) {
	served := &volumes{folder: t.TempDir(), node: "node2"}
	_, _, err := served.Provision(context.Background(), asked(plain))
	var ignored *controller.IgnoredError
	if !errors.As(err, &ignored) {
		t.Fatal(err)
	}
}

func TestWhatAFolderCannotBeIsRefused(t *testing.T) {
	block := core.PersistentVolumeBlock
	cases := map[string]func(*core.PersistentVolumeClaim){
		"block":    func(c *core.PersistentVolumeClaim) { c.Spec.VolumeMode = &block },
		"selector": func(c *core.PersistentVolumeClaim) { c.Spec.Selector = &meta.LabelSelector{} },
		"clone": func(c *core.PersistentVolumeClaim) {
			c.Spec.DataSource = &core.TypedLocalObjectReference{Kind: "PersistentVolumeClaim", Name: "x"}
		},
	}
	for name, change := range cases {
		t.Run(name, func(t *testing.T) {
			served := &volumes{folder: t.TempDir(), node: "node1"}
			if _, _, err := served.Provision(context.Background(), asked(change)); err == nil {
				t.Fatal("it was provisioned")
			}
			if left, _ := os.ReadDir(served.folder); len(left) != 0 {
				t.Error("it left", left)
			}
		})
	}
}

func TestDeleteRemovesTheFolderAndNotWhatALinkInItPointsTo(t *testing.T) {
	served := &volumes{folder: t.TempDir(), node: "node1"}
	outside := filepath.Join(t.TempDir(), "kept")
	if err := os.WriteFile(outside, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	volume, _, err := served.Provision(context.Background(), asked(plain))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Dir(outside), filepath.Join(volume.Spec.Local.Path, "link")); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second finds nothing left to do
		if err := served.Delete(context.Background(), volume); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := os.Stat(volume.Spec.Local.Path); !os.IsNotExist(err) {
		t.Error("the folder is still there")
	}
	if _, err := os.Stat(outside); err != nil {
		t.Error(err)
	}
}

func TestDeleteTouchesNoFolderThatIsNotTheVolumesOwn(t *testing.T) {
	base := t.TempDir()
	served := &volumes{folder: filepath.Join(base, "volumes"), node: "node1"}
	kept := filepath.Join(base, "kept")
	if err := os.MkdirAll(kept, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"../kept", "pvc-1"} {
		volume := &core.PersistentVolume{}
		volume.Name = name
		volume.Spec.Local = &core.LocalVolumeSource{Path: kept}
		if err := served.Delete(context.Background(), volume); err == nil {
			t.Error(name, "was deleted")
		}
	}
	if _, err := os.Stat(kept); err != nil {
		t.Error(err)
	}
}
