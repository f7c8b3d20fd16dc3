# What every firmware carries as frozen bytecode: the device library, the board module, the boot.
package("engram", base_path="../device_lib", opt=3)
freeze("ports/common/frozen", ("_boot.py", "engram_board.py"), opt=3)
