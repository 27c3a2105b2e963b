package httpapi

import (
	"maps"
	"slices"

	"github.com/hashicorp/nomad/api"
)

func validateVolumes(p *problems, jobType string, group *api.TaskGroup) {
	for _, name := range slices.Sorted(maps.Keys(group.Volumes)) {
		p.within(validateVolume(jobType, group, group.Volumes[name]), "Task group volume validation for %s failed", name)
	}
}

func validateVolume(jobType string, group *api.TaskGroup, v *api.VolumeRequest) error {
	if v.Type != "host" && v.Type != "csi" {
		return textErrorf("volume has unrecognized type %s", v.Type)
	}
	p := &problems{}
	p.refuse(v.Source == "", "volume has an empty source")
	if v.PerAlloc {
		p.refuse(jobType == api.JobTypeSystem || jobType == api.JobTypeSysbatch, "volume cannot be per_alloc for system or sysbatch jobs")
		p.refuse(group.Update != nil && *group.Update.Canary > 0, "volume cannot be per_alloc when canaries are in use")
		p.refuse(v.Sticky, "volume cannot be per_alloc and sticky at the same time")
	}
	if v.Type == "host" {
		validateHostVolume(p, v)
	} else {
		validateCSIVolume(p, v, *group.Count)
	}
	return p.err()
}

func validateHostVolume(p *problems, v *api.VolumeRequest) {
	p.refuse(v.MountOptions != nil, "host volumes cannot have mount options")
	switch v.AccessMode {
	case "single-node-reader-only":
		p.refuse(!v.ReadOnly, "%s volumes must be read-only", v.AccessMode)
	case "", "single-node-writer", "single-node-single-writer", "single-node-multi-writer":
	default:
		p.refuse(true, "host volumes cannot be mounted with %s access mode", v.AccessMode)
	}
}

func validateCSIVolume(p *problems, v *api.VolumeRequest, count int) {
	p.refuse(v.AttachmentMode == "", "CSI volumes must have an attachment mode")
	p.refuse(v.AttachmentMode == "block-device" && v.MountOptions != nil, "block devices cannot have mount options")
	shared := count > 1 && !v.PerAlloc
	switch v.AccessMode {
	case "":
		p.refuse(true, "CSI volumes must have an access mode")
	case "single-node-reader-only":
		p.refuse(!v.ReadOnly, "%s volumes must be read-only", v.AccessMode)
		p.refuse(shared, "volume with %s access mode allows only one reader", v.AccessMode)
	case "single-node-writer":
		p.refuse(shared, "volume with %s access mode allows only one reader or writer", v.AccessMode)
	case "multi-node-reader-only":
		p.refuse(!v.ReadOnly, "%s volumes must be read-only", v.AccessMode)
	case "multi-node-single-writer":
		p.refuse(!v.ReadOnly && shared, "volume with %s access mode allows only one writer", v.AccessMode)
	}
}

func validateMounts(p *problems, group *api.TaskGroup, task *api.Task) {
	for i, m := range task.VolumeMounts {
		volume := ""
		if m.Volume != nil {
			volume = *m.Volume
		}
		p.refuse(group.Volumes[volume] == nil, "Volume Mount (%d) references undefined volume %s", i, volume)
		if err := validateMount(m, volume); err != nil {
			p.refuse(true, "Volume Mount (%d) is invalid: \"%v\"", i, err)
		}
	}
}

func validateMount(m *api.VolumeMount, volume string) error {
	p := &problems{}
	p.refuse(volume == "", "volume mount references an empty volume")
	if mode := m.PropagationMode; mode != nil {
		modes := []string{"", "private", "host-to-task", "bidirectional"}
		p.refuse(!slices.Contains(modes, *mode), "volume mount has an invalid propagation mode: %q", *mode)
	}
	if label := m.SELinuxLabel; label != nil {
		p.refuse(!slices.Contains([]string{"", "z", "Z"}, *label), "volume mount has an invalid SELinux label: \"%s\"", *label)
	}
	return p.err()
}
