"""What DVC's files say and where its objects lie; `dvc_manager` is the door."""
