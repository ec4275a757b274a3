// Drives one array from a file and prints what leaves it. A line of the file holds the edge of the array in one
// cycle as hexadecimal words: left value, left valid, left flag, top value, top valid, transfer; lane 0 lowest.
// A line of output holds the valid bits and the values at the bottom, sampled before the clock edge.
module bench;
    parameter integer KIND = 0;  // 0 output stationary, 1 with drain, 2 weight stationary
    parameter integer ROWS = 2;
    parameter integer COLS = 2;
    localparam integer WIDTH = 32;
    localparam integer SUM_WIDTH = 64;

    reg clock = 1'b0;
    reg reset = 1'b1;
    reg [ROWS*WIDTH-1:0] left_value = 0;
    reg [ROWS-1:0] left_valid = 0, left_flag = 0;
    reg [COLS*WIDTH-1:0] top_value = 0;
    reg [COLS-1:0] top_valid = 0, transfer = 0;
    reg [ROWS*WIDTH-1:0] next_left_value;
    reg [ROWS-1:0] next_left_valid, next_left_flag;
    reg [COLS*WIDTH-1:0] next_top_value;
    reg [COLS-1:0] next_top_valid, next_transfer;
    wire [COLS-1:0] out_valid;
    wire [COLS*SUM_WIDTH-1:0] out_value;

    generate
        if (KIND == 2) begin : ws
            array_ws #(.ROWS(ROWS), .COLS(COLS), .WIDTH(WIDTH), .SUM_WIDTH(SUM_WIDTH)) array (
                .clock(clock), .reset(reset), .left_value(left_value), .left_valid(left_valid),
                .left_first(left_flag), .top_value(top_value), .top_valid(top_valid), .transfer(transfer),
                .out_valid(out_valid), .out_value(out_value)
            );
        end else begin : os
            array_os #(.ROWS(ROWS), .COLS(COLS), .DRAIN(KIND), .WIDTH(WIDTH), .SUM_WIDTH(SUM_WIDTH)) array (
                .clock(clock), .reset(reset), .left_value(left_value), .left_valid(left_valid),
                .left_last(left_flag), .top_value(top_value), .top_valid(top_valid),
                .out_valid(out_valid), .out_value(out_value)
            );
        end
    endgenerate

    integer file, fields;
    reg [8*1024-1:0] path;

    initial begin
        if (!$value$plusargs("stimulus=%s", path)) $fatal(1, "no +stimulus=FILE given");
        file = $fopen(path, "r");
        if (file == 0) $fatal(1, "cannot open the stimulus file");
        #4 clock = 1'b1;
        #5 clock = 1'b0;
        reset = 1'b0;
        fields = 6;
        while (fields == 6) begin
            fields = $fscanf(
                file, "%h %h %h %h %h %h\n",
                next_left_value, next_left_valid, next_left_flag, next_top_value, next_top_valid, next_transfer
            );
            if (fields == 6) begin
                left_value = next_left_value;
                left_valid = next_left_valid;
                left_flag = next_left_flag;
                top_value = next_top_value;
                top_valid = next_top_valid;
                transfer = next_transfer;
                #4 $display("%h %h", out_valid, out_value);
                #1 clock = 1'b1;
                #5 clock = 1'b0;
            end
        end
        $fclose(file);
        $finish;
    end
endmodule
