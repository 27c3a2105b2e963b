job "example" {
  datacenters = ["dc1"]

  group "app" {
    volume "data" {
      type      = "host"
      source    = "data"
      read_only = true
    }

    volume "csi" {
      type            = "csi"
      source          = "vol"
      per_alloc       = true
      access_mode     = "single-node-writer"
      attachment_mode = "file-system"
      sticky          = true

      mount_options {
        fs_type     = "ext4"
        mount_flags = ["noatime", "ro"]
      }
    }
  }
}
