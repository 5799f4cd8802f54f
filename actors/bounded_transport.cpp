#include "actors/bounded_transport.hpp"

#include "actors/peer_frame.hpp"

#include <caf/io/basp/header.hpp>
#include <caf/io/middleman.hpp>
#include <caf/io/middleman_actor_impl.hpp>
#include <caf/io/network/default_multiplexer.hpp>
#include <caf/io/network/doorman_impl.hpp>
#include <caf/io/network/scribe_impl.hpp>

#include <spdlog/spdlog.h>

#include <atomic>
#include <chrono>
#include <utility>

namespace holdfast::actors {

const std::size_t most_message_bytes =
    peer_frame::most_head_bytes + peer_frame::most_body_bytes + most_handshake_bytes;

namespace {

namespace network = caf::io::network;

// The BASP broker asks for a header, then for as many bytes as the header said, and so on: what it asks for
// is what would be allocated.
class bounded_scribe final : public network::scribe_impl {
  public:
    using scribe_impl::scribe_impl;

    void configure_read(caf::io::receive_policy::config wanted) override {
        const auto most = has_handshake_ ? most_message_bytes : most_handshake_bytes;
        has_handshake_ = has_handshake_ || wanted.second != caf::io::basp::header_size;
        if (wanted.second <= most) {
            scribe_impl::configure_read(wanted);
            return;
        }
        warn(wanted.second);
        // What came already is read as the message that was announced, which it is too short to be; then the
        // socket's end is read. Either way CAF's broker lets the connection go.
        network::shutdown_both(stream_.fd());
        scribe_impl::configure_read(caf::io::receive_policy::exactly(1));
    }

  private:
    // A stranger that goes on for ever must not fill the disk with our words.
    void warn(std::size_t announced) const {
        using clock = std::chrono::steady_clock;
        static std::atomic<clock::time_point> next{};
        const auto now = clock::now();
        auto due = next.load();
        if (now < due || !next.compare_exchange_strong(due, now + std::chrono::seconds{10}))
            return;
        spdlog::warn("cluster: a connection from {}:{} announced {} bytes at once and was closed: no node "
                     "sends that",
                     addr(), port(), announced);
    }

    bool has_handshake_ = false; // or is about to be given it; CAF closes the connection when it is none
};

class bounded_doorman final : public network::doorman_impl {
  public:
    using doorman_impl::doorman_impl;

    bool new_connection() override {
        if (detached())
            return false;
        auto& multiplexer = acceptor_.backend();
        auto accepted = caf::make_counted<bounded_scribe>(multiplexer, acceptor_.accepted_socket());
        const auto handle = accepted->hdl();
        parent()->add_scribe(std::move(accepted));
        return doorman::new_connection(&multiplexer, handle);
    }
};

class bounded_middleman final : public caf::io::middleman_actor_impl {
  public:
    using middleman_actor_impl::middleman_actor_impl;

  protected:
    caf::expected<caf::io::scribe_ptr> connect(const std::string& host, std::uint16_t port) override {
        auto connected = network::new_tcp_connection(host, port);
        if (!connected)
            return std::move(connected.error());
        return caf::io::scribe_ptr{caf::make_counted<bounded_scribe>(multiplexer(), *connected)};
    }

    caf::expected<caf::io::doorman_ptr> open(std::uint16_t port, const char* address, bool reuse) override {
        auto opened = network::new_tcp_acceptor_impl(port, address, reuse);
        if (!opened)
            return std::move(opened.error());
        return caf::io::doorman_ptr{caf::make_counted<bounded_doorman>(multiplexer(), *opened)};
    }

  private:
    network::default_multiplexer& multiplexer() {
        return static_cast<network::default_multiplexer&>(system().middleman().backend());
    }
};

} // namespace

caf::io::middleman_actor make_bounded_middleman_actor(caf::actor_system& system, caf::actor broker) {
    return system.spawn<bounded_middleman, caf::detached + caf::hidden>(std::move(broker));
}

} // namespace holdfast::actors
