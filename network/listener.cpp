#include "network/listener.hpp"

#include <fmt/format.h>

namespace holdfast::network {

namespace asio = boost::asio;
using asio::ip::tcp;
using error_code = boost::system::error_code;

namespace {

// Clients that reconnect all at once after a restart must not be turned away by a short queue.
constexpr int backlog = 4096;

error refusal_to_listen(const std::string& address, std::uint16_t port, const error_code& failure) {
    const auto where = fmt::format("port {} on {}", port, address);
    if (failure == asio::error::address_in_use)
        return {errc::unavailable,
                where +
                    " is in use: does another holdfast or a RocketMQ run here? Stop it, or choose another "
                    "port (listenPort, namesrvPort)"};
    if (failure == asio::error::access_denied)
        return {errc::permission_denied, where +
                                             " may not be used: ports below 1024 need root; choose another "
                                             "port (listenPort, namesrvPort)"};
    if (failure == error_code{EADDRNOTAVAIL, boost::system::system_category()})
        return {errc::invalid_argument,
                where + " can't be used: this machine does not have that address (bindAddress)"};
    return {errc::io_failed, fmt::format("{} can't be used: {}", where, failure.message())};
}

// The process, not this client, is out of something; trying again at once would only spin.
bool is_exhaustion(const error_code& failure) {
    return failure == asio::error::no_descriptors || failure == asio::error::no_memory ||
           failure == asio::error::no_buffer_space ||
           failure == error_code{ENFILE, boost::system::system_category()};
}

} // namespace

listener::listener(frame_handler& handler, std::vector<std::shared_ptr<io_thread>> threads,
                   std::shared_ptr<runner_state> shared)
    : handler_(handler),
      threads_(std::move(threads)),
      shared_(std::move(shared)),
      acceptor_(threads_.front()->context()),
      backoff_timer_(threads_.front()->context()) {}

result<std::shared_ptr<listener>> listener::open(const std::string& address, std::uint16_t port,
                                                 frame_handler& handler,
                                                 std::vector<std::shared_ptr<io_thread>> threads,
                                                 std::shared_ptr<runner_state> shared) {
    auto opened = std::make_shared<listener>(handler, std::move(threads), std::move(shared));
    if (const auto bound = opened->bind(address, port); !bound)
        return bound.failure();
    return opened;
}

result<void> listener::bind(const std::string& address, std::uint16_t port) {
    error_code failure;
    const auto ip = asio::ip::make_address(address, failure);
    if (failure)
        return error{errc::invalid_argument, "'" + address + "' is not an IP address (bindAddress)"};
    const tcp::endpoint endpoint{ip, port};
    acceptor_.open(endpoint.protocol(), failure);
    if (!failure)
        acceptor_.set_option(tcp::acceptor::reuse_address{true}, failure);
    if (!failure)
        acceptor_.bind(endpoint, failure);
    if (!failure)
        acceptor_.listen(backlog, failure);
    if (!failure)
        port_ = acceptor_.local_endpoint(failure).port();
    if (failure)
        return refusal_to_listen(address, port, failure);
    return {};
}

void listener::start() {
    threads_.front()->post([self = shared_from_this()] { self->accept(); });
}

void listener::stop() {
    threads_.front()->post([self = shared_from_this()] {
        error_code ignored;
        self->backoff_timer_.cancel();
        self->acceptor_.close(ignored);
    });
}

void listener::accept() {
    if (!acceptor_.is_open())
        return;
    const auto target = threads_[next_thread_++ % threads_.size()];
    acceptor_.async_accept(target->context(), [self = shared_from_this(), target](const error_code& failure,
                                                                                  tcp::socket socket) {
        if (failure == asio::error::operation_aborted)
            return;
        if (is_exhaustion(failure)) {
            self->back_off(failure);
            return;
        }
        // Other failures are the client's, who went away before we came to it.
        if (!failure)
            self->admit(std::move(socket), target);
        self->accept();
    });
}

void listener::admit(tcp::socket socket, std::shared_ptr<io_thread> target) {
    error_code failure;
    const auto peer = socket.remote_endpoint(failure);
    if (failure)
        return;
    auto address = peer.address().to_string();
    if (const auto refused = shared_->admitted.admit(address)) {
        ++shared_->connections_refused;
        shared_->refusals.warn(fmt::format("connection from {} refused: {}", address, *refused));
        return; // the socket closes itself
    }
    ++shared_->connections_accepted;
    auto& thread = *target;
    thread.post(
        [target = std::move(target), socket = std::move(socket), address = std::move(address),
         &handler = handler_]() mutable { target->adopt(std::move(socket), std::move(address), handler); });
}

void listener::back_off(const error_code& failure) {
    shared_->accept_failures.warn(
        fmt::format("can't accept connections on port {} for now: {}", port_, failure.message()));
    backoff_timer_.expires_after(accept_backoff);
    backoff_timer_.async_wait([self = shared_from_this()](const error_code& cancelled) {
        if (!cancelled)
            self->accept();
    });
}

} // namespace holdfast::network
