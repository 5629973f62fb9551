package node

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	core "k8s.io/api/core/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/sig-storage-lib-external-provisioner/v13/controller"
)

// volumes makes and removes a folder for each volume. The size that a claim asks for is not
// enforced: a folder has none.
type volumes struct {
	folder string // of all volumes
	node   string // that has the folder
}

// Provision makes the folder of a claim's volume. It may be called again for the same volume.
func (v *volumes) Provision(
	_ context.Context, options controller.ProvisionOptions,
) (*core.PersistentVolume, controller.ProvisioningState, error) {
	if node := options.SelectedNodeName; node != "" && node != v.node {
		return nil, controller.ProvisioningFinished, &controller.IgnoredError{
			Reason: fmt.Sprintf("the pod runs on node %s, not on %s", node, v.node),
		}
	}
	claim := options.PVC
	if err := refusal(claim); err != nil {
		return nil, controller.ProvisioningFinished, err
	}
	path := filepath.Join(v.folder, options.PVName)
	if err := os.MkdirAll(path, 0o777); err != nil {
		return nil, controller.ProvisioningFinished, err
	}
	if err := os.Chmod(path, 0o777); err != nil { // a container runs as whom it likes
		return nil, controller.ProvisioningFinished, err
	}
	filesystem := core.PersistentVolumeFilesystem
	return &core.PersistentVolume{
		ObjectMeta: meta.ObjectMeta{Name: options.PVName},
		Spec: core.PersistentVolumeSpec{
			PersistentVolumeReclaimPolicy: *options.StorageClass.ReclaimPolicy,
			MountOptions:                  options.StorageClass.MountOptions,
			AccessModes:                   claim.Spec.AccessModes,
			VolumeMode:                    &filesystem,
			Capacity: core.ResourceList{
				core.ResourceStorage: claim.Spec.Resources.Requests[core.ResourceStorage],
			},
			PersistentVolumeSource: core.PersistentVolumeSource{
				Local: &core.LocalVolumeSource{Path: path},
			},
			NodeAffinity: on(v.node),
		},
	}, controller.ProvisioningFinished, nil
}

// refusal is why a claim cannot have a folder: nothing that it asks for is left out silently.
func refusal(claim *core.PersistentVolumeClaim) error {
	spec := claim.Spec
	switch {
	case spec.VolumeMode != nil && *spec.VolumeMode == core.PersistentVolumeBlock:
		return errors.New("volumeMode Block: this class has folders, not block devices")
	case spec.Selector != nil:
		return errors.New("selector: this class makes volumes, it does not choose among them")
	case spec.DataSource != nil || spec.DataSourceRef != nil:
		return errors.New("dataSource: this class can neither clone a volume nor restore a snapshot")
	}
	return nil
}

func on(node string) *core.VolumeNodeAffinity {
	return &core.VolumeNodeAffinity{Required: &core.NodeSelector{
		NodeSelectorTerms: []core.NodeSelectorTerm{{
			MatchExpressions: []core.NodeSelectorRequirement{{
				Key: core.LabelHostname, Operator: core.NodeSelectorOpIn, Values: []string{node},
			}},
		}},
	}}
}

// Delete removes a volume's folder, which must be one that Provision made: never one besides,
// whatever the object says, and never what a link in it points to.
func (v *volumes) Delete(_ context.Context, volume *core.PersistentVolume) error {
	local := volume.Spec.Local
	if local == nil || local.Path != filepath.Join(v.folder, volume.Name) {
		return &controller.IgnoredError{Reason: "it is no folder in " + v.folder}
	}
	root, err := os.OpenRoot(v.folder)
	if err != nil {
		return err
	}
	defer func() { _ = root.Close() }()
	return root.RemoveAll(volume.Name)
}
