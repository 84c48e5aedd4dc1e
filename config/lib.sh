# What config/deploy and config/undeploy share. Sourced by them, from the root of the repository.

namespace=fairlead
functions=(functions/*/func.yaml registry-fn/func.yaml)

die() {
  printf '%s: %s\n' "$(basename "$0")" "$*" >&2
  exit 1
}

# overlay_folder OVERLAY: a name below config/overlays, or a folder.
overlay_folder() {
  local folder=config/overlays/$1
  [[ -e $folder/kustomization.yaml ]] || folder=$1
  [[ -e $folder/kustomization.yaml ]] || die "there is no overlay $1: config/overlays has $(cd config/overlays && echo *), or name a folder with a kustomization.yaml"
  realpath "$folder"
}

# function_name FILE: the name that a func.yaml has.
function_name() { sed -n 's/^name: //p' "$1"; }

check_cluster() {
  local tool group
  for tool in "$@"; do
    command -v "$tool" >/dev/null || die "$tool is missing"
  done
  kubectl get --raw /version --request-timeout 20s >/dev/null || die "the cluster cannot be reached; is KUBECONFIG right?"
  for group in serving.knative.dev/v1 eventing.knative.dev/v1; do
    kubectl api-versions | grep -x "$group" >/dev/null ||
      die "the cluster does not have $group: install Knative Serving and Eventing first, https://knative.dev/docs/install/"
  done
}

# check_rights VERB FILE: whether one may do so with every kind of object in a file of manifests, and with functions.
check_rights() {
  local verb=$1 file=$2 resources kind group resource problems=() missing=()
  resources=$(kubectl api-resources --no-headers) # NAME [SHORTNAMES] APIVERSION NAMESPACED KIND
  while read -r group kind; do
    resource=$(awk -v group="$group" -v kind="$kind" '$NF == kind && $(NF-2) == group { print $1; exit }' <<<"$resources")
    [[ -n $resource ]] || { missing+=("$group $kind"); continue; }
    [[ $group != */* ]] || resource=$resource.${group%/*}
    kubectl auth can-i "$verb" "$resource" --namespace "$namespace" >/dev/null 2>&1 || problems+=("$resource")
  done < <({ awk '$1 == "apiVersion:" && /^apiVersion/ { group = $2 } $1 == "kind:" && /^kind/ { print group, $2 }' "$file"; echo serving.knative.dev/v1 Service; } | sort -u)
  ((${#missing[@]} == 0)) || die "the cluster does not know: $(printf '%s, ' "${missing[@]}")which the overlay has"
  ((${#problems[@]} == 0)) || die "you may not $verb in the namespace $namespace: ${problems[*]}"
}
