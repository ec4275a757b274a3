// Weight-stationary systolic array with a spare weight register in each element. Weights of a fold move down a
// chain, the last row first, skewed by one cycle a column; when a column is full, `transfer` copies its chain
// into the spare registers. The stream enters from the left, skewed by one cycle a row, and its flag marks the
// first step of a fold: that is where the spare weight comes into use. Partial sums move down and leave at the
// bottom. Valid bits are low on lanes of a partial fold that hold no data.
`default_nettype none

module pe_ws #(
    parameter integer WIDTH = 32,
    parameter integer SUM_WIDTH = 64
) (
    input  wire                        clock,
    input  wire                        reset,
    input  wire                        transfer,
    input  wire signed [WIDTH-1:0]     left_value,
    input  wire                        left_valid,
    input  wire                        left_first,
    input  wire signed [WIDTH-1:0]     top_weight,
    input  wire                        top_weight_valid,
    input  wire signed [SUM_WIDTH-1:0] top_sum,
    output reg  signed [WIDTH-1:0]     right_value,
    output reg                         right_valid,
    output reg                         right_first,
    output reg  signed [WIDTH-1:0]     bottom_weight,
    output reg                         bottom_weight_valid,
    output wire                        holds_weight,
    output wire signed [SUM_WIDTH-1:0] sum
);
    reg signed [WIDTH-1:0] spare, active;
    reg                    spare_valid, active_valid;
    wire signed [WIDTH-1:0] weight = left_first ? spare : active;

    assign holds_weight = left_first ? spare_valid : active_valid;
    assign sum = (left_valid && holds_weight) ? top_sum + left_value * weight : top_sum;

    always @(posedge clock) begin
        right_value <= left_value;
        bottom_weight <= top_weight;
        if (reset) begin
            right_valid <= 1'b0;
            right_first <= 1'b0;
            bottom_weight_valid <= 1'b0;
            spare_valid <= 1'b0;
            active_valid <= 1'b0;
        end else begin
            right_valid <= left_valid;
            right_first <= left_first;
            bottom_weight_valid <= top_weight_valid;
            if (left_first) begin
                active <= spare;
                active_valid <= spare_valid;
            end
            if (transfer) begin
                spare <= top_weight;
                spare_valid <= top_weight_valid;
            end
        end
    end
endmodule

module array_ws #(
    parameter integer ROWS = 2,
    parameter integer COLS = 2,
    parameter integer WIDTH = 32,
    parameter integer SUM_WIDTH = 64
) (
    input  wire                      clock,
    input  wire                      reset,
    input  wire [ROWS*WIDTH-1:0]     left_value,
    input  wire [ROWS-1:0]           left_valid,
    input  wire [ROWS-1:0]           left_first,
    input  wire [COLS*WIDTH-1:0]     top_value,
    input  wire [COLS-1:0]           top_valid,
    input  wire [COLS-1:0]           transfer,
    output wire [COLS-1:0]           out_valid,
    output wire [COLS*SUM_WIDTH-1:0] out_value
);
    wire signed [WIDTH-1:0]     across      [0:ROWS-1][0:COLS];
    wire                        across_valid[0:ROWS-1][0:COLS];
    wire                        across_first[0:ROWS-1][0:COLS];
    wire signed [WIDTH-1:0]     chain       [0:ROWS][0:COLS-1];
    wire                        chain_valid [0:ROWS][0:COLS-1];
    wire                        used        [0:ROWS-1][0:COLS-1];
    wire signed [SUM_WIDTH-1:0] sum         [0:ROWS-1][0:COLS-1];

    genvar i, j;
    generate
        for (i = 0; i < ROWS; i = i + 1) begin : west
            assign across[i][0] = left_value[i*WIDTH +: WIDTH];
            assign across_valid[i][0] = left_valid[i];
            assign across_first[i][0] = left_first[i];
        end
        for (j = 0; j < COLS; j = j + 1) begin : north
            assign chain[0][j] = top_value[j*WIDTH +: WIDTH];
            assign chain_valid[0][j] = top_valid[j];
        end
        for (j = 0; j < COLS; j = j + 1) begin : col
            for (i = 0; i < ROWS; i = i + 1) begin : row
                // The sum and its valid bit, as they come from the row above one cycle later.
                wire signed [SUM_WIDTH-1:0] above;
                wire                        sum_valid;
                reg  signed [SUM_WIDTH-1:0] below;
                reg                         below_valid;
                if (i == 0) begin : first
                    assign above = {SUM_WIDTH{1'b0}};
                    assign sum_valid = across_valid[0][j] && used[0][j];
                end else begin : other
                    assign above = col[j].row[i-1].below;
                    assign sum_valid = col[j].row[i-1].below_valid;
                end
                pe_ws #(.WIDTH(WIDTH), .SUM_WIDTH(SUM_WIDTH)) pe (
                    .clock(clock), .reset(reset), .transfer(transfer[j]),
                    .left_value(across[i][j]), .left_valid(across_valid[i][j]),
                    .left_first(across_first[i][j]),
                    .top_weight(chain[i][j]), .top_weight_valid(chain_valid[i][j]), .top_sum(above),
                    .right_value(across[i][j+1]), .right_valid(across_valid[i][j+1]),
                    .right_first(across_first[i][j+1]),
                    .bottom_weight(chain[i+1][j]), .bottom_weight_valid(chain_valid[i+1][j]),
                    .holds_weight(used[i][j]), .sum(sum[i][j])
                );
                always @(posedge clock) begin
                    below <= sum[i][j];
                    below_valid <= reset ? 1'b0 : sum_valid;
                end
            end
            assign out_valid[j] = row[ROWS-1].sum_valid;
            assign out_value[j*SUM_WIDTH +: SUM_WIDTH] = out_valid[j] ? sum[ROWS-1][j] : {SUM_WIDTH{1'b0}};
        end
    endgenerate
endmodule

`default_nettype wire
