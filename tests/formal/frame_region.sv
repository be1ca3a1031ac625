// Laws of `frame_region`: an MFA is good exactly if it is the start of a frame of the region, and then the index is that frame's. The
// settings stand still here; that each question has its own is the unit test's matter.

wire [25:0] base_now = $anyconst;
wire [4:0] size_now = $anyconst;
wire [10:0] frames_now = $anyconst;
wire inbound_now = $anyconst;
wire [3:0] amount_now = size_now < 6 ? 0 : size_now > 16 ? 10 : size_now - 6;
wire [10:0] most = frames_now > 256 ? 256 : frames_now;
always @* assume (base == base_now & size == size_now & frames == frames_now & inbound == inbound_now);

reg [31:0] mfa_1, mfa_2, mfa_3, mfa_4;
reg [3:0] settled = 0;
always @(posedge clock) begin
    {mfa_1, mfa_2, mfa_3, mfa_4} <= {mfa, mfa_1, mfa_2, mfa_3};
    settled <= {settled[2:0], begun};
end

// Any frame of the region, and where it starts.
wire [9:0] frame = $anyconst;
wire [25:0] begins = base_now + ({16'd0, frame} << amount_now);
wire in_place = !inbound_now | begins[25:18] == base_now[25:18];
always @* assume (frame < most);

always @* if (settled[3]) begin
    if (mfa_4[31:2] == {begins, 4'd0} & in_place & (inbound_now | mfa_4[1:0] == 0)) assert (good & index == frame);
    if (good) begin
        assert (index < most);
        assert (mfa_4[31:2] == {base_now + ({16'd0, index} << amount_now), 4'd0});
        assert (inbound_now ? mfa_4[31:24] == base_now[25:18] : mfa_4[1:0] == 0);
    end
end
