#include "cluster_fixture.hpp"

#include <utility>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <gtest/gtest.h>

#include <algorithm>
#include <random>

namespace holdfast::actors {

void heard_events::note(std::string event) {
    const std::lock_guard lock{mutex_};
    events_.push_back(std::move(event));
    changed_.notify_all();
}

void heard_events::note(received frame) {
    const std::lock_guard lock{mutex_};
    if (handler_)
        handler_(frame.from, frame.frame);
    else
        frames_.push_back(std::move(frame));
    changed_.notify_all();
}

bool heard_events::wait(const std::function<bool(const heard_events&)>& condition,
                        std::chrono::milliseconds longest) {
    std::unique_lock lock{mutex_};
    return changed_.wait_for(lock, longest, [&] { return condition(*this); });
}

bool heard_events::wait_for_event(const std::string& event, std::size_t count,
                                  std::chrono::milliseconds longest) {
    return wait([&](const heard_events& heard) { return heard.times(event) >= count; }, longest);
}

bool heard_events::wait_for_frames(std::size_t count, std::chrono::milliseconds longest) {
    return wait([&](const heard_events& heard) { return heard.frames_.size() >= count; }, longest);
}

std::vector<std::string> heard_events::events() const {
    const std::lock_guard lock{mutex_};
    return events_;
}

std::vector<heard_events::received> heard_events::frames() const {
    const std::lock_guard lock{mutex_};
    return frames_;
}

std::size_t heard_events::times(const std::string& event) const {
    const std::lock_guard lock{mutex_};
    return static_cast<std::size_t>(std::count(events_.begin(), events_.end(), event));
}

void heard_events::on_frame(std::function<void(const std::string&, peer_frame&)> handler) {
    const std::lock_guard lock{mutex_};
    handler_ = std::move(handler);
}

cluster_settings node_settings(const std::string& name, std::vector<cluster_peer> peers) {
    cluster_settings settings;
    settings.group = "broker-a";
    settings.cluster = "test-cluster";
    settings.name = name;
    settings.incarnation = "disk-of-" + name;
    settings.peers = std::move(peers);
    return settings;
}

cluster_peer peer_at(const std::string& name, std::uint16_t port) {
    return {name, "127.0.0.1", port};
}

std::uint16_t free_port() {
    boost::asio::io_context context;
    using tcp = boost::asio::ip::tcp;
    std::uniform_int_distribution<std::uint16_t> below_ephemeral{15'000, 32'000};
    std::random_device random;
    for (;;) {
        const auto port = below_ephemeral(random);
        tcp::acceptor acceptor{context, tcp::v4()};
        boost::system::error_code taken;
        acceptor.bind({boost::asio::ip::address_v4::loopback(), port}, taken);
        if (!taken)
            return port;
    }
}

peer_frame make_frame(std::string head, const std::vector<std::string>& slices) {
    peer_frame frame{std::move(head), {}};
    for (const auto& slice : slices)
        frame.body.push_back(shared_bytes::copy_of(as_bytes(slice)));
    return frame;
}

std::string body_text(const peer_frame& frame) {
    std::string text;
    for (const auto& slice : frame.body)
        text += as_text(slice.view());
    return text;
}

cluster_node::cluster_node(cluster_settings settings, const std::string& hello)
    : links_(std::make_unique<placement>(std::move(settings))) {
    links_->configure(config_);
    config_.set("scheduler.policy", caf::atom("sharing"));
    config_.set("scheduler.max-threads", std::size_t{2});
    links_->set_hello(hello);
    system_ = std::make_unique<caf::actor_system>(config_);
    receiver_ = system_->spawn([this](cluster_events_actor::pointer) -> cluster_events_actor::behavior_type {
        return {
            [this](peer_atom, const std::string& from, peer_frame& frame) {
                heard.note({from, std::move(frame)});
            },
            [this](found_atom, const std::string& peer, const std::string& incarnation,
                   const std::string& hello_text) {
                heard.note("found " + peer + " " + incarnation + " " + hello_text);
            },
            [this](lost_atom, const std::string& peer) { heard.note("lost " + peer); },
        };
    });
    start();
}

cluster_node::~cluster_node() {
    stop();
    caf::anon_send_exit(receiver_, caf::exit_reason::user_shutdown);
    receiver_ = nullptr;
    system_.reset();
}

void cluster_node::start() {
    const auto port = links_->start(*system_, receiver_);
    if (port.ok())
        port_ = *port;
    else
        ADD_FAILURE() << port.failure();
}

void cluster_node::stop() {
    links_->stop();
}

} // namespace holdfast::actors
