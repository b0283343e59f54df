# Tells what is there, as JSON: the Python to use, the directory of the agent, and the agent in it.
param([string]$Directory)
$ErrorActionPreference = 'Stop'
function Get-Proof([string]$Secret) {  # that this agent is here, as core.computers.proof has it
    $sha = [Security.Cryptography.SHA256]::Create()
    $digest = $sha.ComputeHash([Text.Encoding]::UTF8.GetBytes($Secret))
    $shown = $sha.ComputeHash([byte[]]([Text.Encoding]::ASCII.GetBytes('agent here:') + $digest))
    -join ($shown | ForEach-Object { $_.ToString('x2') })
}
function Test-Ours([string]$Place) {  # a directory that was made so: marked, or empty still; no link to another one
    $item = Get-Item -LiteralPath $Place -Force -ErrorAction SilentlyContinue
    if (-not $item -or -not $item.PSIsContainer -or ($item.Attributes -band [IO.FileAttributes]::ReparsePoint)) { return $false }
    (Test-Path -LiteralPath (Join-Path $Place 'agent.json') -PathType Leaf) -or
        -not (Get-ChildItem -LiteralPath $Place -Force | Select-Object -First 1)
}
if (-not $Directory) { $Directory = Join-Path $env:ProgramFiles 'Dispatcher Agent' }
$probe = "import json, platform, sys, sysconfig; print(json.dumps([sys.executable, list(sys.version_info[:3]), str(sysconfig.get_config_var('EXT_SUFFIX') or '')]))"
$python = $null
foreach ($candidate in @(@('py', '-3.13'), @('py', '-3.12'), @('py', '-3.11'), @('python'))) {
    if (-not (Get-Command $candidate[0] -ErrorAction SilentlyContinue)) { continue }
    $options = @($candidate | Select-Object -Skip 1) + @('-I', '-')
    $said = try { $probe | & $candidate[0] $options 2>$null } catch { $null }
    if ($LASTEXITCODE -ne 0 -or -not $said) { continue }
    $found = ($said | Out-String) | ConvertFrom-Json
    if ($found[1][0] -eq 3 -and $found[1][1] -ge 11 -and $found[1][1] -le 13) { $python = $found; break }
}
if (-not $python) { throw 'no Python 3.11 to 3.13 is found there as py or python' }
$marker = Join-Path $Directory 'agent.json'
$identity = Join-Path $Directory 'home\identity.json'
$id = ''; $whole = $false; $obstacle = ''; $proof = ''
if (Test-Path -LiteralPath $marker) {
    $noted = Get-Content -LiteralPath $marker -Raw | ConvertFrom-Json
    $id = [string]$noted.agent_id
    $proof = [string]$noted.proof
    $whole = [bool]$id -and -not $noted.is_going
    if (Test-Path -LiteralPath $identity) {
        $known = Get-Content -LiteralPath $identity -Raw | ConvertFrom-Json
        $id = [string]$known.agent_id; $proof = Get-Proof $known.secret
    }
}
foreach ($place in $Directory, "$Directory.new", "$Directory.old") {
    if ((Test-Path -LiteralPath $place) -and -not (Test-Ours $place)) {
        $obstacle = "$place is there, and holds no agent that was installed so"; break
    }
}
@{
    host_name = [Environment]::MachineName; directory = $Directory; agent_id = $id; is_whole = $whole; proof = $proof
    obstacle = $obstacle; python = $python[0]; build = $python[2]; glibc = ''
    archive = Join-Path $env:TEMP ('dispatcher-agent-' + [Guid]::NewGuid().ToString('N') + '.tar.gz')
} | ConvertTo-Json -Compress
