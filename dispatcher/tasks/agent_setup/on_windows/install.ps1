# Installs an agent from $Archive and starts it as a scheduled task; whatever fails, what was there before is there
# again. $Files is a JSON object of texts by their names, $Requirements a JSON list for pip. Tells the agent's id.
param([string]$Python, [string]$Directory, [string]$Archive, [string]$Files, [string]$Requirements, [string]$Token)
$ErrorActionPreference = 'Stop'
$name = 'Dispatcher agent'
$new = "$Directory.new"; $old = "$Directory.old"
function Invoke-Program([string]$What, [string]$Program, [string[]]$Options, [string]$Given) {
    $ErrorActionPreference = 'Continue'  # what a program says of its errors ends nothing
    $said = $Given | & $Program $Options 2>&1 | Out-String
    $ErrorActionPreference = 'Stop'
    if ($LASTEXITCODE -ne 0) { throw "${What}: $($said.Trim())" }
}
function Stop-Agent([string]$Place) {
    $task = Get-ScheduledTask -TaskName $name -ErrorAction SilentlyContinue
    if ($task) { Stop-ScheduledTask -TaskName $name; Unregister-ScheduledTask -TaskName $name -Confirm:$false }
    $prefix = (Join-Path $Place 'program') + '\'
    Get-CimInstance Win32_Process |
        Where-Object { $_.ExecutablePath -and $_.ExecutablePath.StartsWith($prefix, 'OrdinalIgnoreCase') -or
            $_.CommandLine -and $_.CommandLine.IndexOf($prefix, [StringComparison]::OrdinalIgnoreCase) -ge 0 } |
        ForEach-Object { & taskkill.exe /T /F /PID $_.ProcessId 2>&1 | Out-Null }
}
function Start-Agent([string]$Place) {
    $config = Join-Path $Place 'agent.toml'
    $options = "-I -m dispatcher agent --config `"$config`""
    $pin = Join-Path $Place 'pin.pem'
    if (Test-Path -LiteralPath $pin) { $options += " --pin `"$pin`"" }
    $action = New-ScheduledTaskAction -Execute (Join-Path $Place 'program\Scripts\python.exe') -Argument $options
    $trigger = New-ScheduledTaskTrigger -AtStartup
    $user = New-ScheduledTaskPrincipal -UserId 'SYSTEM' -LogonType ServiceAccount -RunLevel Highest
    $settings = New-ScheduledTaskSettingsSet -RestartCount 3 -RestartInterval (New-TimeSpan -Minutes 1) `
        -ExecutionTimeLimit ([TimeSpan]::Zero) -AllowStartIfOnBatteries -DontStopIfGoingOnBatteries
    Register-ScheduledTask -TaskName $name -Action $action -Trigger $trigger -Principal $user -Settings $settings `
        -Force | Out-Null
    Start-ScheduledTask -TaskName $name
}
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
function Remove-Place([string]$Place) {  # what it is known by goes last, so that this can be done again
    if (-not (Test-Ours $Place)) { return }
    Get-ChildItem -LiteralPath $Place -Force | Where-Object { $_.Name -ne 'agent.json' } | Remove-Item -Recurse -Force
    Remove-Item -LiteralPath $Place -Recurse -Force
}
# What was begun, so that this much is undone, and no more: the old agent works on until it is ended here.
$isEnded = $false; $isAside = $false; $isInPlace = $false
try {
    foreach ($place in $Directory, $new, $old) {
        if ((Test-Path -LiteralPath $place) -and -not (Test-Ours $place)) { throw "$place is somebody else's" }
    }
    Remove-Place $new
    if (-not (Test-Path -LiteralPath $Directory) -and (Test-Path -LiteralPath $old)) { Move-Item -LiteralPath $old $Directory }
    Remove-Place $old
    New-Item -ItemType Directory -Path $new | Out-Null
    # Only administrators and the system: the identity of the agent will be in it.
    & icacls.exe $new /inheritance:r /grant '*S-1-5-32-544:(OI)(CI)F' '*S-1-5-18:(OI)(CI)F' | Out-Null
    Set-Content -LiteralPath (Join-Path $new 'agent.json') -Value '{}' -Encoding ASCII
    $packages = @($Requirements | ConvertFrom-Json | ForEach-Object { $_ })
    $venv = @('-I', '-m', 'venv') + $(if ($packages) { @() } else { @('--without-pip') }) + @("$new\program")
    Invoke-Program 'a virtual environment cannot be made' $Python $venv ''
    $own = "$new\program\Scripts\python.exe"
    if ($packages) {
        $pip = @('-m', 'pip', '--disable-pip-version-check', 'install', '--no-input') + $packages
        Invoke-Program 'pip cannot install what the agent needs' $own $pip ''
    }
    $unpack = 'import sys, tarfile; tarfile.open(sys.argv[1]).extractall(sys.argv[2])'
    Invoke-Program 'the program cannot be unpacked' $own @('-I', '-c', $unpack, $Archive, "$new\program\Lib\site-packages") ''
    $utf8 = New-Object Text.UTF8Encoding $false
    ($Files | ConvertFrom-Json).PSObject.Properties |
        ForEach-Object { [IO.File]::WriteAllText((Join-Path $new $_.Name), $_.Value, $utf8) }
    $enrol = @('-I', '-m', 'dispatcher', 'agent', '--enrol-only', '--enrol-token-stdin', '--log-level', 'error',
        '--config', "$new\agent.toml", '--home', "$new\home")
    if (Test-Path -LiteralPath "$new\ca.pem") { $enrol += @('--ca-file', "$new\ca.pem") }
    if (Test-Path -LiteralPath "$new\pin.pem") { $enrol += @('--pin', "$new\pin.pem") }
    Invoke-Program 'it cannot enrol' $own $enrol $Token
    $known = Get-Content -LiteralPath "$new\home\identity.json" -Raw | ConvertFrom-Json
    $id = [string]$known.agent_id
    Set-Content -LiteralPath (Join-Path $new 'agent.json') -Value "{`"agent_id`": `"$id`"}" -Encoding ASCII
    if (Test-Path -LiteralPath $Directory) {
        $isEnded = $true
        Stop-Agent $Directory
        Move-Item -LiteralPath $Directory $old
        $isAside = $true
    }
    Move-Item -LiteralPath $new $Directory
    $isInPlace = $true
    Start-Agent $Directory
    Start-Sleep -Seconds 2
    if ((Get-ScheduledTask -TaskName $name).State -ne 'Running') { throw 'the scheduled task does not go on running' }
} catch {
    $problem = $_
    if ($isInPlace) {
        Stop-Agent $Directory
        Remove-Place $Directory
    }
    if ($isAside) { Move-Item -LiteralPath $old $Directory }
    if ($isEnded -and (Test-Path -LiteralPath (Join-Path $Directory 'agent.toml'))) { Start-Agent $Directory }
    Remove-Place $new
    throw $problem
} finally {
    Remove-Item -LiteralPath $Archive -Force -ErrorAction SilentlyContinue
}
Remove-Place $old
@{ agent_id = $id; proof = (Get-Proof $known.secret); how = "as the scheduled task $name" } | ConvertTo-Json -Compress
