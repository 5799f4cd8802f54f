#include "actors/placement.hpp"

#include "actors/bounded_transport.hpp"
#include "actors/peer_endpoint.hpp"
#include "actors/peer_link.hpp"

#include <caf/io/basp_broker.hpp>
#include <caf/io/middleman.hpp>
#include <caf/openssl/manager.hpp>
#include <caf/openssl/middleman_actor.hpp>

#include <spdlog/spdlog.h>

#include <chrono>
#include <map>
#include <optional>
#include <utility>

namespace holdfast::actors {
namespace {

using namespace std::chrono_literals;

constexpr auto port_deadline = 5s;

void end_connectors(caf::scoped_actor& self, const std::vector<caf::io::middleman_actor>& connectors) {
    for (const auto& connector : connectors)
        self->send_exit(connector, caf::exit_reason::kill); // they ignore all other reasons
    for (const auto& connector : connectors)
        self->wait_for(connector);
}

} // namespace

placement::placement(cluster_settings settings)
    : directory_(std::make_shared<peer_directory>(std::move(settings))) {}

placement::~placement() {
    stop();
}

void placement::configure(caf::actor_system_config& config) const {
    configure_transport(config, directory_->settings().tls);
    register_peer_endpoint(config, directory_);
}

caf::io::middleman_actor placement::make_connector() const {
    auto broker = system_->middleman().named_broker<caf::io::basp_broker>(caf::atom("BASP"));
    return directory_->settings().tls ? caf::openssl::make_middleman_actor(*system_, std::move(broker))
                                      : make_bounded_middleman_actor(*system_, std::move(broker));
}

result<std::uint16_t> placement::start(caf::actor_system& system, const cluster_events_actor& receiver) {
    HOLDFAST_CHECK(system_ == nullptr);
    const auto& settings = directory_->settings();
    if (settings.tls)
        if (const auto usable = check_certificates(*settings.tls); !usable.ok())
            return usable.failure();
    system_ = &system;
    // The links first: a peer that arrives as soon as the port is open must find them.
    std::map<std::string, peer_link_actor> links;
    links_ended_ = std::make_shared<std::latch>(static_cast<std::ptrdiff_t>(settings.peers.size()));
    for (const auto& peer : settings.peers) {
        connectors_.push_back(make_connector());
        links_.push_back(system.spawn<caf::detached>(peer_link, directory_, receiver, peer,
                                                     connectors_.back(), links_ended_));
        links.emplace(peer.name, links_.back());
    }
    directory_->open(receiver, std::move(links));
    connectors_.push_back(make_connector());
    std::optional<caf::error> failure;
    caf::scoped_actor self{system};
    self->request(connectors_.back(), port_deadline, caf::open_atom::value, settings.port,
                  settings.bind_address, true)
        .receive([&](std::uint16_t port) { port_ = port; },
                 [&](caf::error& why) { failure = std::move(why); });
    if (failure) {
        const auto reason = system.render(*failure);
        stop();
        return error{errc::unavailable, "the cluster port " + settings.bind_address + ":" +
                                            std::to_string(settings.port) + " can't be opened (" + reason +
                                            "): is another node running there?"};
    }
    return port_;
}

bool placement::send(const std::string& peer, peer_frame frame) const {
    HOLDFAST_CHECK(within_limits(frame));
    const auto endpoint = directory_->endpoint_at(peer);
    if (!endpoint)
        return false;
    // In nobody's name: CAF would keep a sender alive for the other side's sake.
    caf::anon_send(*endpoint, peer_atom::value, std::move(frame));
    return true;
}

void placement::set_hello(std::string text) {
    for (const auto& link : directory_->set_hello(std::move(text)))
        caf::anon_send(link, hello_atom::value);
}

void placement::stop() {
    if (system_ == nullptr)
        return;
    caf::scoped_actor self{*system_};
    if (const auto port = std::exchange(port_, 0); port != 0)
        self->request(connectors_.back(), port_deadline, caf::close_atom::value, port)
            .receive([] {},
                     [&](const caf::error& why) {
                         spdlog::warn("cluster: the port could not be closed: {}", system_->render(why));
                     });
    const auto endpoints = directory_->close();
    for (const auto& link : links_)
        self->send_exit(link, caf::exit_reason::user_shutdown);
    for (const auto& endpoint : endpoints)
        self->send_exit(endpoint, caf::exit_reason::user_shutdown);
    links_.clear();
    links_ended_->wait();
    for (const auto& endpoint : endpoints)
        self->wait_for(endpoint);
    // CAF's broker does not empty its mailbox when it ends, and a message in there from one of our actors
    // would keep the actor's thread, and so the system, from ending. So nobody talks to it any more, and then
    // it must have answered everything.
    const auto last = connectors_.back();
    connectors_.pop_back();
    end_connectors(self, std::exchange(connectors_, {}));
    self->request(last, port_deadline, caf::get_atom::value, system_->node())
        .receive([](const caf::node_id&, const std::string&, std::uint16_t) {},
                 [&](const caf::error& why) {
                     spdlog::warn("cluster: the middleman does not answer: {}", system_->render(why));
                 });
    end_connectors(self, {last});
    system_ = nullptr;
}

} // namespace holdfast::actors
