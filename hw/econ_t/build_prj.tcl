# The ECON-T block from C++ to RTL with Catapult:  catapult -shell -file build_prj.tcl
#
# `target.tcl` beside this file sets clock_period_ns and library.  To make the block of the
# production chip, set production to 1; the stimulus in `tb_data` is for the ECON-T-P1.
set folder [file dirname [file normalize [info script]]]
source $folder/target.tcl
if {![info exists production]} { set production 0 }

options set Input/CppStandard {c++17}
options set Input/CompilerFlags "-DECON_T_PRODUCTION=$production"
options set Input/SearchPath $folder/firmware -append
options set Output/OutputVerilog true
project new -name econ_t_block_prj

# The bench of the C-simulation drives C++ and RTL; both must give the expected link words.
flow package require /SCVerify
flow package option set /SCVerify/INVOKE_ARGS \
  "$folder/tb_data/stimulus.bin answers.bin $folder/tb_data/links.bin"

solution file add $folder/firmware/econ_t_block.cpp
solution file add $folder/firmware/econt_encoder.cpp
solution file add $folder/block_bench.cpp -exclude true

# One module a clock: every loop is unrolled (hls4ml's layers carry no pragmas for that) and every
# array is held in registers, the largest having 2048 elements.
directive set -UNROLL yes
directive set -MEM_MAP_THRESHOLD 4096
solution options set Architectural/DefaultRegisterThreshold 4096
directive set -RESET_CLEARS_ALL_REGS no

go analyze
solution design set econ_t_block -top
go compile

solution library add $library -- -rtlsyntool DesignCompiler
go libraries
directive set -CLOCKS [list clk [list -CLOCK_PERIOD $clock_period_ns -CLOCK_EDGE rising \
  -RESET_KIND sync -RESET_SYNC_NAME rst -RESET_SYNC_ACTIVE high]]
go assembly

# Registers of the chip: they stand still while modules pass, and need neither handshake nor pipeline.
foreach port {high_density mux calibration conv_kernel conv_bias dense_kernel dense_bias etx
              output_mask} {
  directive set /econ_t_block/$port:rsc -MAP_TO_MODULE {[DirectInput]}
}
go architect
go allocate
go extract
project save

flow run /SCVerify/launch_make ./scverify/Verify_rtl_v_msim.mk {} SIMTOOL=msim sim
