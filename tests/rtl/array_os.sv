// Output-stationary systolic array. Operands of a fold enter skewed: left lane i and top lane j start i and j
// cycles after lane 0. Each carries a valid bit (lanes of a partial fold that hold no data keep it low), and the
// left operands a flag that marks the last step of a fold.
//
// A sum is complete in the cycle in which the last operands meet. With DRAIN = 0 it leaves in that cycle over
// the bus of its column: the skew lets only one element of a column finish in any cycle. With DRAIN = 1 it waits
// in a register until its column is complete and is then shifted out at the bottom.
`default_nettype none

module pe_os #(
    parameter integer WIDTH = 32,
    parameter integer SUM_WIDTH = 64
) (
    input  wire                        clock,
    input  wire                        reset,
    input  wire signed [WIDTH-1:0]     left_value,
    input  wire                        left_valid,
    input  wire                        left_last,
    input  wire signed [WIDTH-1:0]     top_value,
    input  wire                        top_valid,
    output reg  signed [WIDTH-1:0]     right_value,
    output reg                         right_valid,
    output reg                         right_last,
    output reg  signed [WIDTH-1:0]     bottom_value,
    output reg                         bottom_valid,
    output wire                        finished,
    output wire                        result_valid,
    output wire signed [SUM_WIDTH-1:0] result
);
    reg signed [SUM_WIDTH-1:0] sum;

    assign result = (left_valid && top_valid) ? sum + left_value * top_value : sum;
    assign finished = left_last;
    assign result_valid = left_last && left_valid && top_valid;

    always @(posedge clock) begin
        right_value  <= left_value;
        bottom_value <= top_value;
        if (reset) begin
            sum <= 0;
            right_valid <= 1'b0;
            right_last <= 1'b0;
            bottom_valid <= 1'b0;
        end else begin
            sum <= left_last ? 0 : result;
            right_valid <= left_valid;
            right_last <= left_last;
            bottom_valid <= top_valid;
        end
    end
endmodule

module array_os #(
    parameter integer ROWS = 2,
    parameter integer COLS = 2,
    parameter integer DRAIN = 0,
    parameter integer WIDTH = 32,
    parameter integer SUM_WIDTH = 64
) (
    input  wire                      clock,
    input  wire                      reset,
    input  wire [ROWS*WIDTH-1:0]     left_value,
    input  wire [ROWS-1:0]           left_valid,
    input  wire [ROWS-1:0]           left_last,
    input  wire [COLS*WIDTH-1:0]     top_value,
    input  wire [COLS-1:0]           top_valid,
    output wire [COLS-1:0]           out_valid,
    output wire [COLS*SUM_WIDTH-1:0] out_value
);
    wire signed [WIDTH-1:0]     across      [0:ROWS-1][0:COLS];
    wire                        across_valid[0:ROWS-1][0:COLS];
    wire                        across_last [0:ROWS-1][0:COLS];
    wire signed [WIDTH-1:0]     down        [0:ROWS][0:COLS-1];
    wire                        down_valid  [0:ROWS][0:COLS-1];
    wire                        finished    [0:ROWS-1][0:COLS-1];
    wire                        ready       [0:ROWS-1][0:COLS-1];
    wire signed [SUM_WIDTH-1:0] result      [0:ROWS-1][0:COLS-1];

    genvar i, j;
    generate
        for (i = 0; i < ROWS; i = i + 1) begin : west
            assign across[i][0] = left_value[i*WIDTH +: WIDTH];
            assign across_valid[i][0] = left_valid[i];
            assign across_last[i][0] = left_last[i];
        end
        for (j = 0; j < COLS; j = j + 1) begin : north
            assign down[0][j] = top_value[j*WIDTH +: WIDTH];
            assign down_valid[0][j] = top_valid[j];
        end
        for (i = 0; i < ROWS; i = i + 1) begin : row
            for (j = 0; j < COLS; j = j + 1) begin : col
                pe_os #(.WIDTH(WIDTH), .SUM_WIDTH(SUM_WIDTH)) pe (
                    .clock(clock), .reset(reset),
                    .left_value(across[i][j]), .left_valid(across_valid[i][j]), .left_last(across_last[i][j]),
                    .top_value(down[i][j]), .top_valid(down_valid[i][j]),
                    .right_value(across[i][j+1]), .right_valid(across_valid[i][j+1]),
                    .right_last(across_last[i][j+1]),
                    .bottom_value(down[i+1][j]), .bottom_valid(down_valid[i+1][j]),
                    .finished(finished[i][j]), .result_valid(ready[i][j]), .result(result[i][j])
                );
            end
        end

        if (DRAIN == 0) begin : bus
            for (j = 0; j < COLS; j = j + 1) begin : column
                wire                 any_valid[0:ROWS];
                wire [SUM_WIDTH-1:0] any_value[0:ROWS];
                assign any_valid[0] = 1'b0;
                assign any_value[0] = {SUM_WIDTH{1'b0}};
                for (i = 0; i < ROWS; i = i + 1) begin : driver
                    assign any_valid[i+1] = any_valid[i] | ready[i][j];
                    assign any_value[i+1] = any_value[i] | (ready[i][j] ? result[i][j] : {SUM_WIDTH{1'b0}});
                end
                assign out_valid[j] = any_valid[ROWS];
                assign out_value[j*SUM_WIDTH +: SUM_WIDTH] = any_value[ROWS];
            end
        end else begin : shift
            for (j = 0; j < COLS; j = j + 1) begin : column
                wire                 complete = finished[ROWS-1][j];
                wire                 chain_valid[0:ROWS];
                wire [SUM_WIDTH-1:0] chain_value[0:ROWS];
                assign chain_valid[0] = 1'b0;
                assign chain_value[0] = {SUM_WIDTH{1'b0}};
                for (i = 0; i < ROWS; i = i + 1) begin : stage
                    reg                  hold_valid, shift_valid;
                    reg [SUM_WIDTH-1:0]  hold_value, shift_value;
                    assign chain_valid[i+1] = shift_valid;
                    assign chain_value[i+1] = shift_value;
                    always @(posedge clock) begin
                        if (reset) begin
                            hold_valid <= 1'b0;
                            shift_valid <= 1'b0;
                        end else begin
                            if (finished[i][j]) begin
                                hold_valid <= ready[i][j];
                                hold_value <= result[i][j];
                            end
                            if (complete) begin
                                shift_valid <= finished[i][j] ? ready[i][j] : hold_valid;
                                shift_value <= finished[i][j] ? result[i][j] : hold_value;
                            end else begin
                                shift_valid <= chain_valid[i];
                                shift_value <= chain_value[i];
                            end
                        end
                    end
                end
                assign out_valid[j] = chain_valid[ROWS];
                assign out_value[j*SUM_WIDTH +: SUM_WIDTH] = chain_valid[ROWS] ? chain_value[ROWS] : {SUM_WIDTH{1'b0}};
            end
        end
    endgenerate
endmodule

`default_nettype wire
