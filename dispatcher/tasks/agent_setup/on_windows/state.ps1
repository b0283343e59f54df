# Tells what is there, as JSON: the Python to use, the directory of the agent, and the agent in it.
param([string]$Directory)
$ErrorActionPreference = 'Stop'
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
$id = ''; $whole = $false; $obstacle = ''
if (Test-Path -LiteralPath $marker) {
    $noted = Get-Content -LiteralPath $marker -Raw | ConvertFrom-Json
    $id = [string]$noted.agent_id
    $whole = [bool]$id -and -not $noted.is_going
    if (Test-Path -LiteralPath $identity) { $id = [string](Get-Content -LiteralPath $identity -Raw | ConvertFrom-Json).agent_id }
} elseif ((Test-Path -LiteralPath $Directory) -and (Get-ChildItem -LiteralPath $Directory -Force)) {
    $obstacle = "$Directory is there, and holds no agent that was installed so"
}
@{
    host_name = [Environment]::MachineName; directory = $Directory; agent_id = $id; is_whole = $whole
    obstacle = $obstacle; python = $python[0]; build = $python[2]; glibc = ''
    archive = Join-Path $env:TEMP ('dispatcher-agent-' + [Guid]::NewGuid().ToString('N') + '.tar.gz')
} | ConvertTo-Json -Compress
