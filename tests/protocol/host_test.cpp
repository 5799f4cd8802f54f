#include "protocol/host.hpp"
#include "tests/protocol/protocol_helpers.hpp"

#include <gtest/gtest.h>

namespace holdfast::protocol {
namespace {

TEST(Host, ParsesAndPrints) {
    const auto host = ipv4_host::parse("127.0.0.1:10911");
    ASSERT_TRUE(host);
    EXPECT_EQ(host->address, 0x7F000001U);
    EXPECT_EQ(host->port, 10911);
    EXPECT_EQ(to_string(*host), "127.0.0.1:10911");
    EXPECT_EQ(to_string(*ipv4_host::parse("255.254.0.1:65535")), "255.254.0.1:65535");
}

TEST(Host, RefusesWhatIsNone) {
    for (const std::string_view text : {"", "localhost:1", "1.2.3:4", "1.2.3.4", "1.2.3.4:", "1.2.3.4:65536",
                                        "1.2.3.256:1", "1.2.3.4:1x", "::1:5", "1.2.3.4.5:6", "-1.2.3.4:5"}) {
        const auto host = ipv4_host::parse(text);
        ASSERT_FALSE(host) << text;
        EXPECT_EQ(host.failure().code, errc::invalid_argument);
    }
}

ipv4_host mapped(std::string_view hex) {
    const std::string bytes = from_hex(hex);
    return ipv4_host::from_ipv6(std::span<const std::byte, 16>{as_bytes(bytes).data(), 16}, 7);
}

// T13: IPv6 hosts break C++ and Node decoding.
TEST(Host, T13Ipv6PeersAreMapped) {
    EXPECT_EQ(to_string(mapped("00000000000000000000ffff0a000001")), "10.0.0.1:7");
    EXPECT_EQ(to_string(mapped("00000000000000000000000000000001")), "127.0.0.1:7");
    EXPECT_EQ(to_string(mapped("20010db8000000000000000000000001")), "0.0.0.0:7");
}

} // namespace
} // namespace holdfast::protocol
