// Hundreds of connections to the cluster ports that are no nodes: silent ones, ones that stop in the middle
// of a greeting, noise. They elect nobody, and what they cost ends with them.
#include "tests/chaos/group_load.hpp"
#include "tests/chaos/node_group.hpp"
#include "tests/crash/load.hpp"
#include "tests/support/process_use.hpp"
#include "tests/support/wait_for.hpp"

#include <gtest/gtest.h>

#include <arpa/inet.h>
#include <array>
#include <cstdio>
#include <random>
#include <sys/socket.h>
#include <unistd.h>

namespace holdfast::chaos {
namespace {

using namespace std::chrono_literals;
using testing::open_files;
using testing::resident_bytes;
using testing::wait_for;

constexpr auto patience = 40s;
constexpr std::size_t strangers = 300; // at each node
constexpr std::size_t most_bytes = std::size_t{64} << 20U;
constexpr std::size_t few_files = 20; // that a node may open for itself meanwhile

// The beginning of a TLS 1.2 or 1.3 greeting of 512 bytes.
constexpr std::string_view half_client_hello{
    "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 half of a client's", 30};

class sockets {
  public:
    sockets() = default;
    sockets(const sockets&) = delete;
    sockets& operator=(const sockets&) = delete;
    ~sockets() { close(); }

    void open(std::uint16_t port, const std::string& greeting) {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = htons(port);
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        all_.push_back(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
        ASSERT_EQ(::connect(all_.back(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
        // The node may have hung up already.
        (void)::send(all_.back(), greeting.data(), greeting.size(), MSG_NOSIGNAL);
    }
    void close() {
        for (const int each : all_)
            ::close(each);
        all_.clear();
    }

  private:
    std::vector<int> all_;
};

class strangers_at_the_door : public ::testing::Test {
  protected:
    void expect_no_harm(bool encrypted) {
        if (encrypted) {
            ASSERT_EQ(group_.encrypt(), "");
        }
        for (std::size_t node = 0; node < nodes; ++node)
            group_.start(node);
        ASSERT_EQ(group_.wait_until_whole(0, patience), "") << group_.logs();
        ASSERT_EQ(crash::make_topics(group_.leader_broker(), book_), "");
        group_load load{book_, 7, group_.name_servers(), [&] { return group_.leader_broker(); }};
        ASSERT_TRUE(wait_for(patience, [&] { return load.sends_answered_ok() > 1'000; }));
        const auto leader = group_.leader();
        ASSERT_TRUE(leader);
        const auto before = group_.status(*leader);
        ASSERT_TRUE(before);
        for (std::size_t node = 0; node < nodes; ++node) {
            files_[node] = open_files(group_.pid(node));
            bytes_[node] = resident_bytes(group_.pid(node));
        }
        (void)load.take_longest_gap();

        sockets doors;
        for (std::size_t i = 0; i < strangers; ++i)
            for (std::size_t node = 0; node < nodes; ++node)
                doors.open(group_.cluster_port(node), greeting(i, encrypted));
        // Longer than an election timeout.
        std::this_thread::sleep_for(2s);
        for (std::size_t node = 0; node < nodes; ++node) {
            const auto now = resident_bytes(group_.pid(node));
            std::printf("%s: %zu MiB more for %zu strangers, %zu files more\n",
                        node_group::name_of(node).c_str(), (now - std::min(now, bytes_[node])) >> 20U,
                        strangers, open_files(group_.pid(node)) - files_[node]);
            EXPECT_LT(now, bytes_[node] + most_bytes);
        }
        const auto meanwhile = group_.status(*leader);
        ASSERT_TRUE(meanwhile);
        EXPECT_EQ(meanwhile->term, before->term) << group_.logs();
        EXPECT_EQ(group_.leader(), leader);
        EXPECT_LT(load.take_longest_gap(), 1s);

        doors.close();
        for (std::size_t node = 0; node < nodes; ++node)
            EXPECT_TRUE(
                wait_for(10s, [&] { return open_files(group_.pid(node)) < files_[node] + few_files; }))
                << open_files(group_.pid(node)) << " files, before " << files_[node];
        load.stop();
        ASSERT_EQ(group_.wait_until_whole(0, patience), "") << group_.logs();
        EXPECT_EQ(book_.verify(group_.leader_broker()), "");
    }

    std::string greeting(std::size_t number, bool encrypted) {
        if (number % 3 == 0)
            return {};
        // No noise in clear text: a header of CAF's that claims 4 GiB makes it allocate them, and that is one
        // of the reasons why TLS is demanded beyond loopback.
        if (!encrypted)
            return std::string(31, '\0'); // a header has 32
        if (number % 3 == 1)
            return std::string{half_client_hello};
        std::string noise(1'000, '\0');
        for (auto& each : noise)
            each = static_cast<char>(random_());
        return noise;
    }

    node_group group_{{"--logLevel=info"}};
    crash::ledger book_{{"orders"}, 2};
    std::mt19937_64 random_{11};
    std::array<std::size_t, nodes> files_{};
    std::array<std::size_t, nodes> bytes_{};
};

TEST_F(strangers_at_the_door, harm_no_group_in_clear_text) {
    expect_no_harm(false);
}

TEST_F(strangers_at_the_door, harm_no_group_with_tls) {
    expect_no_harm(true);
}

} // namespace
} // namespace holdfast::chaos
