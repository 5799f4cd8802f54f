#include "actors/cluster_security.hpp"

#include <caf/actor_system.hpp>
#include <caf/io/middleman.hpp>
#include <caf/node_id.hpp>
#include <caf/openssl/manager.hpp>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>

#include <chrono>
#include <fstream>
#include <memory>
#include <random>

namespace holdfast::actors {
namespace {

using namespace std::chrono_literals;

// A frozen peer is noticed after the timeout; a dead process at once, by its closed connections.
constexpr caf::timespan heartbeat_interval = 200ms;
constexpr caf::timespan connection_timeout = 1s;

// Runs after the middleman has given the system its node id, and before anything has seen it.
class random_identity final : public caf::actor_system::module {
  public:
    explicit random_identity(caf::actor_system& system) : system_(system) {}

    void init(caf::actor_system_config&) override {
        std::random_device random;
        caf::node_id::default_data::host_id_type host{};
        for (auto& byte : host)
            byte = static_cast<std::uint8_t>(random());
        host.front() |= 1U; // all zeros would not be valid, nor would process 0
        // 0.17.6 has no setting for it. The object is not const, only this way to it.
        const_cast<caf::node_id&>(system_.node()) = caf::make_node_id(random() | 1U, host);
    }
    void start() override {}
    void stop() override {}
    // A place behind the middleman's that nothing else in 0.17 takes.
    [[nodiscard]] id_t id() const override { return network_manager; }
    void* subtype_ptr() override { return this; }

    static caf::actor_system::module* make(caf::actor_system& system, caf::detail::type_list<>) {
        return new random_identity{system};
    }

  private:
    caf::actor_system& system_;
};

template <class T, void (*Free)(T*)>
struct freed_by {
    void operator()(T* object) const { Free(object); }
};
using context_ptr = std::unique_ptr<SSL_CTX, freed_by<SSL_CTX, SSL_CTX_free>>;
using store_context_ptr = std::unique_ptr<X509_STORE_CTX, freed_by<X509_STORE_CTX, X509_STORE_CTX_free>>;

std::string openssl_reason() {
    std::string reason;
    while (const auto code = ERR_get_error())
        if (const auto* const text = ERR_reason_error_string(code); reason.empty() && text != nullptr)
            reason = text;
    return reason.empty() ? "no reason given" : reason;
}

error refused(const std::string& what, const std::string& file) {
    return {errc::invalid_argument, what + " '" + file + "': " + openssl_reason()};
}

result<void> check_readable(const std::string& setting, const std::string& file) {
    if (!std::ifstream{file})
        return error{errc::invalid_argument,
                     setting + " '" + file + "' can't be read: name a PEM file that this user may read"};
    return {};
}

// Empty: the context's authority vouches for the context's certificate.
std::string why_untrusted(SSL_CTX& context, const char* purpose) {
    STACK_OF(X509)* chain = nullptr;
    SSL_CTX_get0_chain_certs(&context, &chain);
    const store_context_ptr check{X509_STORE_CTX_new()};
    if (!check || X509_STORE_CTX_init(check.get(), SSL_CTX_get_cert_store(&context),
                                      SSL_CTX_get0_certificate(&context), chain) != 1)
        return openssl_reason();
    X509_STORE_CTX_set_default(check.get(), purpose);
    return X509_verify_cert(check.get()) == 1
               ? std::string{}
               : X509_verify_cert_error_string(X509_STORE_CTX_get_error(check.get()));
}

} // namespace

result<void> check_certificates(const cluster_tls& tls) {
    for (const auto& [setting, file] :
         {std::pair{"clusterTlsCert", tls.certificate}, std::pair{"clusterTlsKey", tls.key},
          std::pair{"clusterTlsCa", tls.authority}})
        if (auto readable = check_readable(setting, file); !readable.ok())
            return readable;
    ERR_clear_error();
    const context_ptr context{SSL_CTX_new(TLS_method())};
    if (!context)
        return error{errc::internal, "no TLS context: " + openssl_reason()};
    if (SSL_CTX_use_certificate_chain_file(context.get(), tls.certificate.c_str()) != 1)
        return refused("clusterTlsCert is not a certificate in PEM", tls.certificate);
    // Never asks on the terminal.
    SSL_CTX_set_default_passwd_cb(context.get(), [](char*, int, int, void*) { return 0; });
    if (SSL_CTX_use_PrivateKey_file(context.get(), tls.key.c_str(), SSL_FILETYPE_PEM) != 1)
        return refused("clusterTlsKey is not the certificate's key, in PEM and without passphrase", tls.key);
    if (SSL_CTX_load_verify_locations(context.get(), tls.authority.c_str(), nullptr) != 1)
        return refused("clusterTlsCa is not a certificate in PEM", tls.authority);
    // Every node is a server to some and a client to others.
    for (const auto* const purpose : {"ssl_server", "ssl_client"})
        if (const auto reason = why_untrusted(*context, purpose); !reason.empty())
            return error{errc::invalid_argument, "clusterTlsCert '" + tls.certificate +
                                                     "' would be refused by the other nodes (" + reason +
                                                     "): it must be signed by clusterTlsCa '" +
                                                     tls.authority + "' and serve both ends of a connection"};
    return {};
}

void configure_transport(caf::actor_system_config& config, const std::optional<cluster_tls>& tls) {
    config.load<caf::io::middleman>();
    config.load<random_identity>();
    config.set("middleman.heartbeat-interval", heartbeat_interval);
    config.set("middleman.connection-timeout", connection_timeout);
    if (!tls)
        return;
    config.load<caf::openssl::manager>();
    config.openssl_certificate = tls->certificate;
    config.openssl_key = tls->key;
    config.openssl_cafile = tls->authority;
}

} // namespace holdfast::actors
